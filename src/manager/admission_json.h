// Requests and reports of admission (admission.h) as JSON, the same over REST, the control socket
// and with --json of `adit manager miners`. Pure.
#pragma once

#include "base/json_fields.h"
#include "manager/admission.h"

#include <string>

namespace adit::manager {

// "groups": objects of "address" (an IP; absent: anywhere), "count" and "shares_per_minute"; or
// these three for a single group; or none of them, to see what there is. Faults are left to
// fields.finish().
AdmissionRequest admission_request(base::JsonFields& fields);
// The same with "seconds", for which the room is held.
AdmissionRequest reserve_request(base::JsonFields& fields);
// "id" of a reservation.
AdmissionRequest release_request(base::JsonFields& fields);

std::string admission_json(const AdmissionReport& report);

}  // namespace adit::manager
