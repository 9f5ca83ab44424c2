#include "stratum/messages.h"

#include "base/bytes.h"
#include "job/job.h"
#include "stratum/json.h"

#include <fmt/format.h>

namespace adit::stratum {

namespace {

void append_error_object(std::string& out, int code, std::string_view text) {
    fmt::format_to(std::back_inserter(out), "[{},", code);
    append_json_text(out, text);
    out += ",null]";
}

}  // namespace

void append_result(std::string& out, std::string_view id, std::string_view result) {
    out += R"({"id":)";
    out += id;
    out += R"(,"result":)";
    out += result;
    out += R"(,"error":null})";
    out += '\n';
}

void append_error(std::string& out, std::string_view id, int code, std::string_view text) {
    out += R"({"id":)";
    out += id;
    out += R"(,"result":null,"error":)";
    append_error_object(out, code, text);
    out += "}\n";
}

void append_refusal(std::string& out, std::string_view id, share::Refusal reason) {
    append_error(out, id, share::stratum_code(reason), share::describe(reason));
}

void append_not_authorized(std::string& out, std::string_view id, std::string_view text) {
    out += R"({"id":)";
    out += id;
    out += R"(,"result":false,"error":)";
    append_error_object(out, share::stratum_code(share::Refusal::unauthorized), text);
    out += "}\n";
}

void append_set_difficulty(std::string& out, const chain::Difficulty& difficulty) {
    out += R"({"id":null,"method":"mining.set_difficulty","params":[)";
    out += difficulty.wire();
    out += "]}\n";
}

void append_set_version_mask(std::string& out, std::uint32_t mask) {
    out += R"({"id":null,"method":"mining.set_version_mask","params":[")";
    out += base::hex32(mask);
    out += "\"]}\n";
}

void append_ping(std::string& out) {
    out += R"({"id":null,"method":"mining.ping","params":[]})";
    out += '\n';
}

std::string set_extranonce_line(std::uint32_t extranonce1) {
    return fmt::format(R"({{"id":null,"method":"mining.set_extranonce","params":["{}",{}]}})"
                       "\n",
                       base::hex32(extranonce1), job::kExtranonce2Size);
}

std::string reconnect_line(std::string_view host, std::uint16_t port, std::uint32_t wait_s) {
    std::string line = R"({"id":null,"method":"client.reconnect","params":[)";
    append_json_text(line, host);
    fmt::format_to(std::back_inserter(line), ",{},{}]}}\n", port, wait_s);
    return line;
}

std::string show_message_line(std::string_view text) {
    std::string line = R"({"id":null,"method":"client.show_message","params":[)";
    append_json_text(line, text);
    line += "]}\n";
    return line;
}

std::string get_version_line(std::uint32_t id) {
    return fmt::format(R"({{"id":{},"method":"client.get_version","params":[]}})"
                       "\n",
                       id);
}

}  // namespace adit::stratum
