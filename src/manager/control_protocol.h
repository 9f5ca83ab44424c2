// The lines of the control socket, without the socket. Pure; internal to the manager.
#pragma once

#include "manager/control_socket.h"

namespace adit::manager {

// A request line taken apart; the error is a sentence for whoever sent it.
std::expected<ControlRequest, std::string> parse_control_request(std::string_view line,
                                                                 std::size_t max_nesting);
// A request and a reply as lines, without the line feed.
std::string control_request_line(std::string_view method, std::string_view params);
std::string control_reply_line(const ControlReply& reply);
// What the pool answered; the error says that it is no reply.
std::expected<ControlReply, std::string> parse_control_reply(std::string_view line);

}  // namespace adit::manager
