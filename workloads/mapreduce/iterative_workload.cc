#include "workloads/mapreduce/iterative_workload.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace tandem::workloads::mapreduce {

namespace {

// A group's number as a key.
std::string KeyOf(uint32_t group) { return fmt::format("{:08x}", group); }
uint32_t GroupOf(std::string_view key) {
  return static_cast<uint32_t>(std::stoul(std::string(key), nullptr, 16));
}

void AddTo(Vector& sums, const Vector& more) {
  for (size_t i = 0; i < sums.length(); ++i) sums[i] += more[i];
}

Vector* CopyOf(Context& context, const Vector& vector) {
  Vector* copy = context.MakeArray<double>(vector.length());
  for (size_t i = 0; i < vector.length(); ++i) (*copy)[i] = vector[i];
  return copy;
}

AnyValue* CombineSums(Context& context, std::string_view, AnyValue* a, AnyValue* b) {
  Vector* sums = CopyOf(context, *As<Vector>(a));
  AddTo(*sums, *As<Vector>(b));
  return Forget(sums);
}

void ReduceSums(ReduceContext& context, Text* key, Values& values) {
  Vector* part = nullptr;
  if (!values.Next(&part)) return;  // does not happen: a key has a value
  Vector* sums = CopyOf(context, *part);
  while (values.Next(&part)) AddTo(*sums, *part);
  context.Output(key, sums);
}

}  // namespace

IterativeWorkload::IterativeWorkload(std::string name, std::string summary, uint64_t dimensions,
                                     uint64_t rounds)
    : Workload(std::move(name), std::move(summary), 2), dimensions_(dimensions), rounds_(rounds) {
  options().AddCount("samples", "Records of the data set", &samples_, 1, uint64_t{1} << 32);
  options().AddCount("dimensions", "Features of a record", &dimensions_, 1, 4096);
  options().AddCount("rounds", "Rounds over the data set", &rounds_, 1, 1 << 20);
  options().AddCount("splits", "Splits of the data set: map tasks of a round", &splits_, 1,
                     1 << 20);
  options().AddCount("partitions", "Partitions of the keys: reduce tasks of a round", &partitions_,
                     1, 4096);
  options().AddOutputFile("output", "File to write the model to", &output_.path);
}

void IterativeWorkload::SetScale(Scale scale) {
  samples_ = scale == Scale::kTiny ? 4'000 : scale == Scale::kSmall ? 100'000 : 1'000'000;
}

Status IterativeWorkload::Prepare(Progress&) {
  if (Status status = CheckOptions(); !status.ok()) return status;
  return output_.Check();
}

uint64_t IterativeWorkload::LiveBytes() const { return samples_ * SampleBytes(dimensions_); }

StatusOr<std::vector<std::vector<double>>> IterativeWorkload::RunRound(
    Session& session, const Persistent<Samples>& samples, const std::vector<double>& model) {
  const ArrayInput<Sample> input(samples, splits_);
  Job job;
  job.input = &input;
  job.reducers = static_cast<uint32_t>(partitions_);
  job.map = [&](MapContext& context, const Record& record) {
    Vector* sums = context.MakeArray<double>(SumLength());
    const uint32_t group = Measure(model, *As<Sample>(record.object)->value, *sums);
    context.Emit(KeyOf(group), sums, SumLength() * sizeof(double));
  };
  job.combine = CombineSums;
  job.reduce = ReduceSums;
  StatusOr<JobResult> result = RunJob(session, job, threads_);
  if (!result.ok()) return result.status();
  // Sums without some of the samples would be an answer to something else.
  if (!result->skipped.empty()) {
    return Status::Unavailable("a round left something out: " + Describe(result->skipped.front()));
  }
  for (const auto& [name, n] : result->counters) session.Count(name, n);
  std::vector<std::vector<double>> sums(Groups(), std::vector<double>(SumLength()));
  ForEachOutput<Vector>(session.mutator(), *result, [&](Text* key, Vector* of_group) {
    for (size_t i = 0; i < SumLength(); ++i) sums[GroupOf(key->view())][i] = (*of_group)[i];
  });
  return sums;
}

StatusOr<std::string> IterativeWorkload::Execute(Session& session) {
  Persistent<Samples> samples(session.heap());
  {
    Phase build(session, "build", samples_);
    Status status = BuildSamples(
        session, threads_, samples_, dimensions_,
        [this](uint64_t number, std::span<double> features) { return MakePoint(number, features); },
        samples);
    if (!status.ok()) return status;
  }
  Phase measured(session, "measured");
  std::vector<double> model = FirstModel();
  for (uint64_t round = 0; round < rounds_; ++round) {
    StatusOr<std::vector<std::vector<double>>> sums = RunRound(session, samples, model);
    if (!sums.ok()) return sums.status();
    UpdateModel(model, *sums);
  }
  lines_.clear();
  for (size_t i = 0; i < model.size(); ++i) {
    fmt::format_to(std::back_inserter(lines_), "{:.17g}{}", model[i],
                   (i + 1) % NumbersALine() == 0 ? '\n' : ' ');
  }
  return fmt::format("{:016x}", HashBytes(lines_));
}

Status IterativeWorkload::WriteOutput() { return output_.Write(lines_); }

}  // namespace tandem::workloads::mapreduce
