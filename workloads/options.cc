#include "workloads/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "workloads/bytes.h"

namespace tandem::workloads {

void Options::AddBytes(std::string name, std::string help, uint64_t* target, uint64_t min,
                       uint64_t max) {
  const auto set = [=](const std::vector<std::string>& values) {
    StatusOr<uint64_t> bytes = ParseBytes(values[0]);
    if (!bytes.ok()) return bytes.status();
    if (*bytes < min || *bytes > max) {
      return Status::InvalidArgument(fmt::format("'{}' is out of range; valid is {} to {}",
                                                 values[0], FormatBytes(min), FormatBytes(max)));
    }
    *target = *bytes;
    return Status::Ok();
  };
  options_.push_back({std::move(name), std::move(help), "BYTES", false, true, set,
                      [target] { return OptionValue(*target); }});
}

void Options::AddCount(std::string name, std::string help, uint64_t* target, uint64_t min,
                       uint64_t max) {
  const auto set = [=](const std::vector<std::string>& values) {
    StatusOr<uint64_t> count = ParseCount(values[0]);
    if (!count.ok() || *count < min || *count > max) {
      return Status::InvalidArgument(
          fmt::format("'{}' is not valid; valid are {} to {}", values[0], min, max));
    }
    *target = *count;
    return Status::Ok();
  };
  options_.push_back({std::move(name), std::move(help), "N", false, true, set,
                      [target] { return OptionValue(*target); }});
}

void Options::AddChoice(std::string name, std::string help, std::string* target,
                        std::vector<std::string> valid) {
  help += fmt::format(" ({})", fmt::join(valid, ", "));
  const auto set = [target, valid](const std::vector<std::string>& values) {
    if (std::find(valid.begin(), valid.end(), values[0]) == valid.end()) {
      return Status::InvalidArgument(
          fmt::format("unknown '{}'; valid are {}", values[0], fmt::join(valid, ", ")));
    }
    *target = values[0];
    return Status::Ok();
  };
  options_.push_back({std::move(name), std::move(help), "NAME", false, true, set,
                      [target] { return OptionValue(*target); }});
}

void Options::AddInputFiles(std::string name, std::string help, std::vector<std::string>* target) {
  const auto set = [target](const std::vector<std::string>& values) {
    *target = values;
    return Status::Ok();
  };
  options_.push_back({std::move(name), std::move(help), "FILE", true, true, set,
                      [target] { return OptionValue(*target); }});
}

void Options::AddOutputFile(std::string name, std::string help, std::string* target) {
  const auto set = [target](const std::vector<std::string>& values) {
    *target = values[0];
    return Status::Ok();
  };
  options_.push_back({std::move(name), std::move(help), "FILE", false, false, set,
                      [target] { return OptionValue(*target); }});
}

Status Options::Set(std::string_view name, const std::vector<std::string>& values) {
  const auto option = std::find_if(options_.begin(), options_.end(),
                                   [name](const Option& o) { return o.name == name; });
  if (option == options_.end()) {
    return Status::InvalidArgument(fmt::format("no option --{}", name));
  }
  if (values.empty() || (values.size() > 1 && !option->is_list)) {
    return Status::InvalidArgument(
        fmt::format("--{} takes {}", name, option->is_list ? "one value or more" : "one value"));
  }
  Status status = option->set(values);
  if (status.ok()) return status;
  return {status.code(), fmt::format("--{}: {}", name, status.message())};
}

}  // namespace tandem::workloads
