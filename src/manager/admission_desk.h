// The desk of operation 6 (admission.h): gathers the facts from the running parts, samples what
// connections and shares cost, and keeps reservations in the Stratum server's connection budget.
// Safe from any thread.
#pragma once

#include "base/clock.h"
#include "base/log.h"
#include "manager/admission.h"
#include "manager/operation.h"
#include "stratum/server.h"

#include <mutex>

namespace adit::manager {

class AdmissionDesk {
 public:
    // All of it outlives the desk.
    AdmissionDesk(stratum::Server& server, const base::Clock& clock, base::Logger& logger);

    // One sample; meant once a second.
    void tick();
    // Asks, or releases, or reserves: all groups or none. See AdmissionRequest.
    Outcome<AdmissionReport> answer(const AdmissionRequest& request);
    // Connections that can come in although nothing is reserved for them.
    std::uint64_t places_left();

 private:
    AdmissionFacts facts();
    Outcome<std::vector<net::ReservationId>> reserve(const AdmissionRequest& request,
                                                     const AdmissionReport& report);

    stratum::Server& server_;
    const base::Clock& clock_;
    base::Logger& logger_;
    std::mutex mutex_;  // guards the meter
    AdmissionMeter meter_;
};

}  // namespace adit::manager
