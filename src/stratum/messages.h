// The lines that the pool sends, each with its line feed. Appended to `out`; pure.
#pragma once

#include "chain/target.h"
#include "share/refusal.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace adit::stratum {

// Replies. `id` is raw JSON; `result` too.
void append_result(std::string& out, std::string_view id, std::string_view result);
// {"id":ID,"result":null,"error":[CODE,"TEXT",null]}; the text is escaped.
void append_error(std::string& out, std::string_view id, int code, std::string_view text);
void append_refusal(std::string& out, std::string_view id, share::Refusal reason);
// The reply to mining.authorize for a name that can never be paid: result false with error 24.
void append_not_authorized(std::string& out, std::string_view id, std::string_view text);

// Notifications.
void append_set_difficulty(std::string& out, const chain::Difficulty& difficulty);
void append_set_version_mask(std::string& out, std::uint32_t mask);
void append_ping(std::string& out);
// For sessions with takes_extranonce(); in force from their next notify on.
std::string set_extranonce_line(std::uint32_t extranonce1);
// cgminer refuses a host of another domain; some firmware ignores host and port.
std::string reconnect_line(std::string_view host, std::uint16_t port, std::uint32_t wait_s);
std::string show_message_line(std::string_view text);
// A request of the pool; the answer is accepted and ignored.
std::string get_version_line(std::uint32_t id);

}  // namespace adit::stratum
