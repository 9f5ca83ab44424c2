#include "auth/auth_store.h"

namespace adit::auth {

std::string_view name_of(EventKind kind) {
    switch (kind) {
        case EventKind::first_admin:
            return "first_admin";
        case EventKind::login:
            return "login";
        case EventKind::login_failed:
            return "login_failed";
        case EventKind::locked_out:
            return "locked_out";
        case EventKind::logout:
            return "logout";
        case EventKind::refresh_reused:
            return "refresh_reused";
        case EventKind::keys_reloaded:
            return "keys_reloaded";
        case EventKind::user_created:
            return "user_created";
        case EventKind::user_disabled:
            return "user_disabled";
        case EventKind::user_enabled:
            return "user_enabled";
        case EventKind::role_changed:
            return "role_changed";
        case EventKind::password_changed:
            return "password_changed";
        case EventKind::password_reset:
            return "password_reset";
        case EventKind::second_factor_on:
            return "second_factor_on";
        case EventKind::second_factor_off:
            return "second_factor_off";
        case EventKind::backup_code_used:
            return "backup_code_used";
        case EventKind::api_key_created:
            return "api_key_created";
        case EventKind::api_key_revoked:
            return "api_key_revoked";
        case EventKind::change_announced:
            return "change_announced";
        case EventKind::change_applied:
            return "change_applied";
        case EventKind::change_cancelled:
            return "change_cancelled";
    }
    return "login";
}

}  // namespace adit::auth
