#include "manager/auth_routes.h"

#include "http/body.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace adit::manager {
namespace {

using auth::AuthService;
using auth::Permission;
using http::Method;
using http::Request;
using http::Response;
using Json = nlohmann::ordered_json;

constexpr std::size_t kSecretBytes = 512;  // of passwords, tokens, codes
constexpr std::size_t kNameBytes = 128;
constexpr std::size_t kMessageBytes = 4'096;
constexpr std::size_t kMostEvents = 1'000;

Response reply(const Json& json, unsigned status = 200) {
    return http::json_response(json.dump(-1, ' ', true, Json::error_handler_t::replace), status);
}

// What a call brought, as JSON; its refusal otherwise.
template <class T, class AsJson>
Response reply_with(const auth::Outcome<T>& outcome, AsJson as_json, unsigned status = 200) {
    return outcome ? reply(as_json(*outcome), status) : response_of(outcome.error());
}

Response done(const auth::Outcome<void>& outcome) {
    return outcome ? reply(Json::object()) : response_of(outcome.error());
}

std::string peer_of(const Request& request) {
    return request.peer.ip_text();
}

// The path's {id}; 0: it is none.
std::int64_t id_of(const Request& request) {
    const auto text = request.param("id");
    std::int64_t id = 0;
    const auto end = text.data() + text.size();
    const auto [last, error] = std::from_chars(text.data(), end, id);
    return error == std::errc() && last == end && id > 0 ? id : 0;
}

Response no_such(std::string_view what) {
    return http::error_response(404, "not_found", fmt::format("there is no such {}", what));
}

Json permissions_of(auth::Permissions permissions) {
    auto names = Json::array();
    for (std::size_t i = 1; i < auth::kPermissions; ++i) {
        const auto permission = static_cast<Permission>(i);
        if (permissions.allows(permission)) names.push_back(auth::name_of(permission));
    }
    return names;
}

Json principal_json(const auth::Principal& principal) {
    return {{"user", principal.user},
            {"name", principal.name},
            {"role", auth::name_of(principal.role)},
            {"permissions", permissions_of(principal.permissions)}};
}

Json tokens_json(const auth::Tokens& tokens) {
    return {{"access", tokens.access},
            {"access_expires_ms", tokens.access_expires_ms},
            {"refresh", tokens.refresh},
            {"refresh_expires_ms", tokens.refresh_expires_ms},
            {"principal", principal_json(tokens.principal)}};
}

Json user_json(const auth::UserView& user) {
    return {{"id", user.id},
            {"name", user.name},
            {"role", auth::name_of(user.role)},
            {"disabled", user.disabled},
            {"second_factor", user.second_factor},
            {"created_ms", user.created_ms},
            {"changed_ms", user.changed_ms}};
}

Json key_json(const auth::ApiKeyView& key) {
    return {{"id", key.id},
            {"name", key.name},
            {"scopes", permissions_of(key.scopes)},
            {"created_ms", key.created_ms},
            {"expires_ms", key.expires_ms},
            {"revoked_ms", key.revoked_ms}};
}

Json change_json(const auth::PendingChange& change) {
    return {{"id", change.id},
            {"address", change.address},
            {"setting", change.setting},
            {"value", change.value},
            {"created_ms", change.created_ms},
            {"apply_at_ms", change.apply_at_ms}};
}

template <class Rows, class AsJson>
Json list_json(const Rows& rows, AsJson as_json) {
    auto list = Json::array();
    for (const auto& row : rows)
        list.push_back(as_json(row));
    return list;
}

auth::Role read_role(base::JsonFields& fields) {
    fields.require("role");
    const auto name = fields.text("role", kNameBytes);
    for (const auto role : {auth::Role::miner, auth::Role::operator_, auth::Role::admin}) {
        if (name == auth::name_of(role)) return role;
    }
    fields.refuse("\"role\" is \"miner\", \"operator\" or \"admin\"");
    return auth::Role::miner;
}

auth::Permissions read_scopes(base::JsonFields& fields) {
    auth::Permissions scopes;
    fields.require("scopes");
    for (const auto& name : fields.texts("scopes", auth::kPermissions, kNameBytes)) {
        bool known = false;
        for (std::size_t i = 1; i < auth::kPermissions; ++i) {
            const auto permission = static_cast<Permission>(i);
            if (name != auth::name_of(permission)) continue;
            scopes.add(permission);
            known = true;
        }
        if (!known) fields.refuse(fmt::format("no permission is called \"{}\"", name));
    }
    return scopes;
}

// A body with these fields, all of them texts that must be there.
using Texts = std::map<std::string, std::string, std::less<>>;
std::expected<Texts, Response> required_texts(const Request& request,
                                              std::initializer_list<std::string_view> names) {
    base::JsonFields fields(http::json_body(request));
    Texts texts;
    for (const auto name : names) {
        fields.require(name);
        texts.emplace(name, fields.text(name, kMessageBytes));
    }
    if (auto refusal = http::refusal_of(fields)) return std::unexpected(std::move(*refusal));
    return texts;
}

class Routes {
 public:
    explicit Routes(AuthService& auth) : auth_(auth) {}

    std::vector<http::Route> take() {
        add_logins();
        add_own_account();
        add_keys();
        add_users();
        add_audit();
        add_claims();
        return std::move(routes_);
    }

 private:
    struct Options {
        bool strict_rate = false;
        bool slow = false;  // hashes a password
    };
    void add(Method method, const char* path, Permission permission, const char* summary,
             Options options, std::function<Response(AuthService&, const Request&)> work) {
        http::Route route;
        route.method = method;
        route.pattern = std::string("/api/v1/") + path;
        route.permission = permission;
        route.summary = summary;
        route.strict_rate = options.strict_rate;
        route.slow = options.slow;
        route.handler = [&auth = auth_, work = std::move(work)](const Request& request) {
            return work(auth, request);
        };
        routes_.push_back(std::move(route));
    }

    void add_logins();
    void add_own_account();
    void add_keys();
    void add_users();
    void add_audit();
    void add_claims();

    AuthService& auth_;
    std::vector<http::Route> routes_;
};

void Routes::add_logins() {
    add(Method::post, "auth/login", Permission::anyone, "Name and password for tokens",
        {true, true}, [](AuthService& auth, const Request& request) {
            base::JsonFields fields(http::json_body(request));
            fields.require("name");
            fields.require("password");
            const auto name = fields.text("name", kNameBytes);
            const auto password = fields.text("password", kSecretBytes);
            const auto code = fields.text("code", kSecretBytes);
            if (auto refusal = http::refusal_of(fields)) return *refusal;
            return reply_with(auth.login({name, password, code, peer_of(request)}), tokens_json);
        });
    add(Method::post, "auth/refresh", Permission::anyone, "A refresh token for new tokens", {true},
        [](AuthService& auth, const Request& request) {
            const auto texts = required_texts(request, {"refresh"});
            if (!texts) return texts.error();
            return reply_with(auth.refresh(texts->at("refresh"), peer_of(request)), tokens_json);
        });
    add(Method::post, "auth/logout", Permission::own_account, "Ends the session of the token", {},
        [](AuthService& auth, const Request& request) {
            constexpr std::string_view kBearer = "Bearer ";
            const auto header = request.header("authorization");
            const bool bearer = header.starts_with(kBearer);
            return done(
                auth.logout(bearer ? header.substr(kBearer.size()) : request.header("x-api-key")));
        });
    add(Method::post, "auth/logout-everywhere", Permission::own_account,
        "Ends all sessions of the caller", {}, [](AuthService& auth, const Request& request) {
            return done(auth.logout_everywhere(request.principal->user));
        });
}

void Routes::add_own_account() {
    add(Method::get, "auth/me", Permission::own_account, "Who the caller is", {},
        [](AuthService&, const Request& request) {
            return reply(principal_json(*request.principal));
        });
    add(Method::post, "auth/password", Permission::own_account, "Another password", {true, true},
        [](AuthService& auth, const Request& request) {
            const auto texts = required_texts(request, {"old_password", "new_password"});
            if (!texts) return texts.error();
            return done(auth.change_password(*request.principal, texts->at("old_password"),
                                             texts->at("new_password"), peer_of(request)));
        });
    add(Method::post, "auth/second-factor", Permission::own_account,
        "Offers a second factor; it counts once it is confirmed", {true, true},
        [](AuthService& auth, const Request& request) {
            const auto texts = required_texts(request, {"password"});
            if (!texts) return texts.error();
            return reply_with(auth.offer_second_factor(*request.principal, texts->at("password"),
                                                       peer_of(request)),
                              [](const auth::Enrolment& offer) {
                                  return Json{{"secret", offer.secret}, {"uri", offer.uri}};
                              });
        });
    add(Method::post, "auth/second-factor/confirm", Permission::own_account,
        "Switches it on by a code; answers the backup codes", {true},
        [](AuthService& auth, const Request& request) {
            const auto texts = required_texts(request, {"code"});
            if (!texts) return texts.error();
            return reply_with(auth.confirm_second_factor(*request.principal, texts->at("code")),
                              [](const std::vector<std::string>& codes) {
                                  return Json{{"backup_codes", codes}};
                              });
        });
    add(Method::delete_, "auth/second-factor", Permission::own_account, "Switches it off",
        {true, true}, [](AuthService& auth, const Request& request) {
            const auto texts = required_texts(request, {"password", "code"});
            if (!texts) return texts.error();
            return done(auth.remove_second_factor(*request.principal, texts->at("password"),
                                                  texts->at("code"), peer_of(request)));
        });
}

void Routes::add_keys() {
    add(Method::get, "auth/keys", Permission::own_account, "The caller's API keys", {},
        [](AuthService& auth, const Request& request) {
            return reply_with(auth.api_keys(request.principal->user), [](const auto& keys) {
                return Json{{"keys", list_json(keys, key_json)}};
            });
        });
    add(Method::post, "auth/keys", Permission::own_account, "A new API key; it is shown this once",
        {true}, [](AuthService& auth, const Request& request) {
            base::JsonFields fields(http::json_body(request));
            fields.require("name");
            const auto name = fields.text("name", kNameBytes);
            const auto scopes = read_scopes(fields);
            const auto expires_ms = fields.integer("expires_ms", 0, INT64_MAX).value_or(0);
            if (auto refusal = http::refusal_of(fields)) return *refusal;
            return reply_with(
                auth.create_api_key(*request.principal, name, scopes, expires_ms),
                [](const auth::NewApiKey& key) {
                    return Json{{"id", key.id}, {"key", key.key}, {"expires_ms", key.expires_ms}};
                },
                201);
        });
    add(Method::delete_, "auth/keys/{id}", Permission::own_account, "Revokes an API key", {},
        [](AuthService& auth, const Request& request) {
            const auto id = id_of(request);
            if (id == 0) return no_such("key");
            return done(auth.revoke_api_key(*request.principal, request.principal->user, id));
        });
}

void Routes::add_users() {
    add(Method::get, "users", Permission::manage_users, "All users", {},
        [](AuthService& auth, const Request&) {
            return reply_with(auth.users(), [](const auto& users) {
                return Json{{"users", list_json(users, user_json)}};
            });
        });
    add(Method::post, "users", Permission::manage_users, "A new user", {false, true},
        [](AuthService& auth, const Request& request) {
            base::JsonFields fields(http::json_body(request));
            fields.require("name");
            fields.require("password");
            const auto name = fields.text("name", kNameBytes);
            const auto password = fields.text("password", kSecretBytes);
            const auto role = read_role(fields);
            if (auto refusal = http::refusal_of(fields)) return *refusal;
            return reply_with(
                auth.create_user(*request.principal, name, password, role),
                [](auth::UserId id) { return Json{{"id", id}}; }, 201);
        });
    add(Method::patch, "users/{id}", Permission::manage_users, "Another role, disabled or not", {},
        [](AuthService& auth, const Request& request) {
            const auto id = id_of(request);
            if (id == 0) return no_such("user");
            base::JsonFields fields(http::json_body(request));
            const auto disabled = fields.optional_flag("disabled");
            std::optional<auth::Role> role;
            if (fields.has("role")) role = read_role(fields);
            if (!disabled && !role) fields.refuse("nothing to change: \"role\" or \"disabled\"");
            if (auto refusal = http::refusal_of(fields)) return *refusal;
            if (role) {
                const auto set = auth.set_role(*request.principal, id, *role);
                if (!set) return response_of(set.error());
            }
            return disabled ? done(auth.set_disabled(*request.principal, id, *disabled))
                            : reply(Json::object());
        });
    add(Method::post, "users/{id}/reset-password", Permission::manage_users,
        "A new random password; it is shown this once", {false, true},
        [](AuthService& auth, const Request& request) {
            const auto id = id_of(request);
            if (id == 0) return no_such("user");
            base::JsonFields fields(http::json_body(request));
            const bool factor_too = fields.flag("second_factor_too");
            if (auto refusal = http::refusal_of(fields)) return *refusal;
            return reply_with(
                auth.reset_password(*request.principal, id, factor_too),
                [](const std::string& password) { return Json{{"password", password}}; });
        });
}

void Routes::add_audit() {
    add(Method::get, "auth/events", Permission::manage_users,
        "The audit log of security events, the latest first", {},
        [](AuthService& auth, const Request& request) {
            if (auto refusal = http::refusal_of_query(request, {"before"})) return *refusal;
            const auto text = request.query_value("before").value_or("0");
            std::int64_t before = 0;
            const auto end = text.data() + text.size();
            if (std::from_chars(text.data(), end, before).ptr != end || before < 0) {
                return http::error_response(400, "bad_query", "\"before\" is the id of an event");
            }
            return reply_with(
                auth.events(0, INT64_MAX, before, kMostEvents), [](const auto& events) {
                    return Json{{"events", list_json(events, [](const auth::Event& event) {
                                     return Json{{"id", event.id},
                                                 {"at_ms", event.at_ms},
                                                 {"event", auth::name_of(event.kind)},
                                                 {"user", event.user},
                                                 {"subject", event.subject},
                                                 {"peer", event.peer},
                                                 {"detail", event.detail}};
                                 })}};
                });
        });
    add(Method::post, "auth/reload-keys", Permission::manage_users,
        "A new signing key: all tokens are void, API keys stay", {},
        [](AuthService& auth, const Request&) { return done(auth.reload_keys()); });
}

void Routes::add_claims() {
    add(Method::post, "claims", Permission::anyone,
        "A setting of an address, by a message that its owner has signed", {true},
        [](AuthService& auth, const Request& request) {
            // The message has lines, so it is not read as a plain text field.
            const auto body = Json::parse(request.body, nullptr, false);
            const auto text = [&](const char* key) {
                const auto found = body.is_object() ? body.find(key) : body.end();
                return found != body.end() && found->is_string() ? found->get<std::string>()
                                                                 : std::string();
            };
            const auto message = text("message");
            const auto signature = text("signature");
            if (message.empty() || signature.empty() || body.size() != 2 ||
                message.size() > kMessageBytes || signature.size() > kMessageBytes) {
                return http::error_response(400, "bad_body",
                                            "the body is {\"message\":..., \"signature\":...}");
            }
            // The ledger has no place for it, so nothing would come of it.
            if (message.find("\nsetting: notify\n") != std::string::npos) {
                return http::error_response(400, "bad_setting",
                                            "miners are not notified by this pool");
            }
            return reply_with(auth.claim({message, signature, peer_of(request)}), change_json, 202);
        });
}

unsigned status_of(auth::Refusal why) {
    using enum auth::Refusal;
    switch (why) {
        case wrong_credentials:
        case code_needed:
        case wrong_code:
        case disabled:
        case bad_token:
        case token_expired:
        case token_reused:
        case session_ended:
        case bad_signature:
            return 401;
        case locked:
            return 429;
        case busy:
        case store_failed:
            return 503;
        case no_such_user:
        case no_such_key:
        case no_such_change:
            return 404;
        case name_taken:
        case last_admin:
        case second_factor_on:
        case second_factor_not_offered:
        case second_factor_off:
        case too_many_keys:
        case nonce_used:
        case too_many_changes:
            return 409;
        case bad_name:
        case weak_password:
        case bad_scopes:
        case bad_expiry:
        case bad_message:
        case bad_address:
        case unsupported_address:
        case bad_setting:
        case bad_value:
        case stale_message:
            return 400;
    }
    return 500;
}

}  // namespace

http::Response response_of(const auth::Refused& refused) {
    const auto status = status_of(refused.why);
    const auto code = auth::name_of(refused.why);
    if (refused.retry_after_ms > 0) {
        return http::retry_response(status, code, refused.text,
                                    std::chrono::milliseconds(refused.retry_after_ms));
    }
    return http::error_response(status, code, refused.text);
}

std::vector<http::Route> auth_routes(AuthService& auth) {
    return Routes(auth).take();
}

}  // namespace adit::manager
