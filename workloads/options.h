// Options: the parameters of one workload, by name, as a command line shows them.
//
// A workload registers its fields here in its constructor, and owns the table; whoever runs it
// lists the options, sets them from text and reads the effective values back. Not synchronised:
// set everything before the workload runs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tandem/status.h"

namespace tandem::workloads {

using OptionValue = std::variant<uint64_t, std::string, std::vector<std::string>>;

struct Option {
  std::string name;  // without the dashes
  std::string help;
  const char* value_name;  // what stands for the value in help texts: BYTES, N, NAME, FILE
  bool is_list;            // takes one or more values, else exactly one
  bool is_identity;        // false: says where a result goes, and has no influence on it
  std::function<Status(const std::vector<std::string>&)> set;
  std::function<OptionValue()> value;
};

class Options {
 public:
  // Each binds `target`, which must outlive the table, and leaves its present value alone.
  void AddBytes(std::string name, std::string help, uint64_t* target, uint64_t min, uint64_t max);
  void AddCount(std::string name, std::string help, uint64_t* target, uint64_t min, uint64_t max);
  void AddChoice(std::string name, std::string help, std::string* target,
                 std::vector<std::string> valid);
  void AddInputFiles(std::string name, std::string help, std::vector<std::string>* target);
  void AddOutputFile(std::string name, std::string help, std::string* target);

  // For kinds of values that are not among these.
  void Add(Option option) { options_.push_back(std::move(option)); }

  const std::vector<Option>& all() const { return options_; }

  // The error is one line, names the option and says what is valid.
  Status Set(std::string_view name, const std::vector<std::string>& values);

 private:
  std::vector<Option> options_;
};

}  // namespace tandem::workloads
