// TextWorkload: the base of workloads that run one MapReduce job over a text and print lines.
//
// It has the options that say which text, in how many splits and partitions, and where the lines
// go. The text is native memory, as a file in the page cache would be; what is made of it is
// managed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "workloads/mapreduce/engine.h"
#include "workloads/output_file.h"
#include "workloads/text_source.h"
#include "workloads/workload.h"

namespace tandem::workloads::mapreduce {

class TextWorkload : public Workload {
 public:
  void SetScale(Scale scale) override;
  Status Prepare(Progress& progress) override;
  uint64_t InputHash() const override { return HashBytes(text_); }
  StatusOr<std::string> Execute(Session& session) override;
  Status WriteOutput() override;

 protected:
  TextWorkload(std::string name, std::string summary);

  // What a workload says of itself. The job's input is set by the caller.
  virtual Job MakeJob() = 0;
  virtual std::string FormatLines(Mutator& mutator, const JobResult& result) = 0;

  // After the text is read.
  virtual Status PrepareJob() { return Status::Ok(); }

  // Builds the input in the heap, if it shall be there; else lines of the native text are read.
  virtual StatusOr<std::unique_ptr<Input>> BuildInput(Session& session);

  // About what is live at once of `pairs` pairs without their values: twice the pair, its key, and
  // references to it in two arrays and more while these grow.
  static uint64_t PairBytes(uint64_t pairs, uint64_t key_bytes) {
    return pairs * (2 * ObjectBytes(sizeof(Pair)) + ObjectBytes(sizeof(Text)) + 48) + key_bytes;
  }

  uint64_t splits_ = 64;
  uint64_t partitions_ = 16;

  // Set by Prepare().
  std::string text_;
  uint64_t line_count_ = 0;

 private:
  TextSource source_;
  uint64_t size_ = 0;  // 0: as the preset or the files have it
  uint64_t preset_size_ = 0;
  OutputFile output_;

  std::string lines_;  // the last run's result
  std::vector<std::string> skipped_;
};

}  // namespace tandem::workloads::mapreduce
