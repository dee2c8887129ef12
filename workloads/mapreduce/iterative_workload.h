// IterativeWorkload: the base of workloads that run a MapReduce job per round over one data set,
// which stays in the heap from the first round to the last.
//
// In a round, map makes a vector of partial sums for each sample, combine and reduce add vectors
// up, and the model is made of the sums. All vectors are garbage when their round is over. Sums are
// taken in an order that depends on the splits alone, so the model is the same to the last bit.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "workloads/mapreduce/engine.h"
#include "workloads/output_file.h"
#include "workloads/samples.h"
#include "workloads/workload.h"

namespace tandem::workloads::mapreduce {

class IterativeWorkload : public Workload {
 public:
  void SetScale(Scale scale) override;
  Status Prepare(Progress& progress) override;
  uint64_t LiveBytes() const override;
  StatusOr<std::string> Execute(Session& session) override;
  Status WriteOutput() override;

 protected:
  IterativeWorkload(std::string name, std::string summary, uint64_t dimensions, uint64_t rounds);

  virtual Status CheckOptions() const { return Status::Ok(); }
  virtual double MakePoint(uint64_t number, std::span<double> features) const = 0;

  // The model before the first round, and after one that came to `sums`, by group.
  virtual std::vector<double> FirstModel() const = 0;
  virtual uint64_t Groups() const = 0;
  virtual void UpdateModel(std::vector<double>& model,
                           const std::vector<std::vector<double>>& sums) const = 0;

  // Which group a sample belongs to, and what it adds to the sums there: SumLength() numbers.
  virtual size_t SumLength() const = 0;
  virtual uint32_t Measure(const std::vector<double>& model, const SampleValue& sample,
                           Vector& sums) const = 0;

  // The model, in lines; numbers of each line.
  virtual size_t NumbersALine() const = 0;

  uint64_t samples_ = 0;
  uint64_t dimensions_;

 private:
  StatusOr<std::vector<std::vector<double>>> RunRound(Session& session,
                                                      const Persistent<Samples>& samples,
                                                      const std::vector<double>& model);

  uint64_t rounds_;
  uint64_t splits_ = 64;
  uint64_t partitions_ = 4;
  OutputFile output_;
  std::string lines_;  // the last run's result
};

}  // namespace tandem::workloads::mapreduce
