// Proportional rounds: the work since the previous found block belongs to the block that ends the
// round. When that block is orphaned its work goes to the next found block that was never credited,
// or to the next one that is found, and it comes back with its block unless it is credited there.
// Reads and writes a journal; as safe as that is.
#pragma once

#include "ledger/pplns.h"

namespace adit::ledger {

// The round that ends (or stands) at a moment, without what was moved to it.
Window round_before(Journal& journal, const Moment& moment, std::string_view unnamed);
// The round of a found block with all that was moved to it.
Window round_of(Journal& journal, const BlockRow& block, std::string_view unnamed);
// What the next block's round would be if it were found now, with all that waits for it.
Window open_round(Journal& journal, const Moment& now, std::string_view unnamed);

// A new block, which is in the journal already, takes over the rounds that wait for one.
void take_waiting_rounds(Journal& journal, const BlockRow& found);
// Decides where the work of an orphaned block goes and sets its round_moved_to; the caller puts the
// row. Blocks of other schemes, and of jobs whose snapshot fixed the split, have no round to move.
void move_round(Journal& journal, BlockRow& orphaned);
// The block has come back: its work is its own again unless it is credited elsewhere.
void return_round(Journal& journal, BlockRow& returned);

}  // namespace adit::ledger
