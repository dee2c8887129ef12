#include "rdma/remote/host_port.h"

#include <fmt/format.h>

#include <charconv>
#include <system_error>

#include "rdma/remote/control.h"

namespace tandem::rdma {

StatusOr<HostPort> HostPort::Parse(std::string_view text) {
  HostPort parsed;
  const size_t colon = text.rfind(':');
  bool valid = colon != text.npos && colon > 0;
  if (valid) {
    std::string_view host = text.substr(0, colon);
    const bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (brackets) host = host.substr(1, host.size() - 2);
    parsed.host = host;
    const std::string_view port = text.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(port.data(), port.data() + port.size(), parsed.port, 10);
    valid = error == std::errc() && end == port.data() + port.size() &&
            (brackets || host.find(':') == host.npos);
  }
  if (valid) return parsed;
  return Status::InvalidArgument(fmt::format(
      "'{}' is no address; valid is HOST:PORT, with a port from 0 to 65535 and brackets around an "
      "IPv6 address",
      Printable(std::string(text))));
}

}  // namespace tandem::rdma
