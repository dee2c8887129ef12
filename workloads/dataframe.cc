// Analysis of taxi trips on a data frame, as AIFM and Eden are measured with: a table that is read
// by column, filtered, grouped and joined, each step leaving frames behind that nobody needs again.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "workloads/data_frame.h"
#include "workloads/output_file.h"
#include "workloads/taxi_trips.h"
#include "workloads/workload.h"

namespace tandem::workloads {

namespace frames {
namespace {

// Columns that the analysis puts behind a trip's.
enum DerivedColumn : size_t {
  kDistance = kTripColumns,  // as the crow flies
  kDuration,
  kPickupZone,  // the first of a zone's columns
  kPickupBorough
};

constexpr int64_t kLongest = 3 * 3600;  // seconds of a trip to be believed
constexpr int64_t kLongTrip = 30 * 60;

class Analysis {
 public:
  Analysis(Session& session, uint64_t threads)
      : threads_{session.mutator(), threads}, session_(session) {}

  // All questions once. What they come to is appended to `lines`.
  Status Run(const Persistent<DataFrame>& trips, const Persistent<DataFrame>& zones,
             std::string& lines) {
    using Step = Status (Analysis::*)(std::string&);
    constexpr Step kAll[] = {&Analysis::CountPassengers, &Analysis::AddColumns,
                             &Analysis::TimesOfDay,      &Analysis::DropWrongTrips,
                             &Analysis::FindZones,       &Analysis::BoroughsByHour,
                             &Analysis::LongTripsByMonth};
    now_ = trips;
    zones_ = &zones;
    for (const Step step : kAll) {
      if (Status status = (this->*step)(lines); !status.ok()) return status;
      session_.progress().Advance(trips->pieces());
    }
    session_.Count("rows_kept", now_->CountRows());
    now_ = nullptr;
    return Status::Ok();
  }

  static constexpr uint64_t kSteps = 7;  // of them, for progress

 private:
  Status CountPassengers(std::string& lines) {
    return Ask(
        "passengers of a vendor", [](const Row& trip) { return trip[kVendor]; },
        [](const Row& trip) { return trip[kPassengers]; }, lines);
  }

  Status AddColumns(std::string&) {
    Status status = Derive(
        threads_, now_,
        [](const Row& trip) {
          return Distance(trip[kPickupLongitude], trip[kPickupLatitude], trip[kDropoffLongitude],
                          trip[kDropoffLatitude]);
        },
        now_);
    if (!status.ok()) return status;
    return Derive(
        threads_, now_, [](const Row& trip) { return trip[kDropoffTime] - trip[kPickupTime]; },
        now_);
  }

  Status TimesOfDay(std::string& lines) {
    return Ask(
        "duration by hour", [](const Row& trip) { return HourOf(trip[kPickupTime]); },
        [](const Row& trip) { return trip[kDuration]; }, lines);
  }

  Status DropWrongTrips(std::string&) {
    return Select(
        threads_, now_, 0,
        [](const Row& trip, std::span<int64_t>) {
          return trip[kDuration] >= 0 && trip[kDuration] <= kLongest && trip[kPassengers] != 0 &&
                 trip[kMeteredDistance] != 0;
        },
        now_);
  }

  Status FindZones(std::string&) {
    return Join(
        threads_, now_,
        [](const Row& trip) { return ZoneOf(trip[kPickupLongitude], trip[kPickupLatitude]); },
        *zones_, kZone, now_);
  }

  Status BoroughsByHour(std::string& lines) {
    if (Status status = Ask(
            "amount by borough and hour",
            [](const Row& trip) { return trip[kPickupBorough] * 100 + HourOf(trip[kPickupTime]); },
            [](const Row& trip) { return trip[kTotalAmount]; }, lines);
        !status.ok()) {
      return status;
    }
    return Ask(
        "distance by zone", [](const Row& trip) { return trip[kPickupZone]; },
        [](const Row& trip) { return trip[kDistance]; }, lines);
  }

  Status LongTripsByMonth(std::string& lines) {
    Persistent<DataFrame> long_trips(threads_.mutator.heap());
    Status status = Select(
        threads_, now_, 0,
        [](const Row& trip, std::span<int64_t>) { return trip[kDuration] >= kLongTrip; },
        long_trips);
    if (!status.ok()) return status;
    return AskOf(
        long_trips, "tip of long trips by month",
        [](const Row& trip) { return MonthOf(trip[kPickupTime]); },
        [](const Row& trip) { return trip[kTip]; }, lines);
  }

  using Value = std::function<int64_t(const Row&)>;

  Status Ask(const char* question, const Value& key, const Value& value, std::string& lines) {
    return AskOf(now_, question, key, value, lines);
  }

  Status AskOf(const Persistent<DataFrame>& frame, const char* question, const Value& key,
               const Value& value, std::string& lines) {
    Persistent<Groups> groups(threads_.mutator.heap());
    if (Status status = GroupBy(threads_, frame, key, value, groups); !status.ok()) return status;
    std::vector<std::pair<int64_t, Total>> sorted;
    groups->ForEach([&](const Group& group) { sorted.emplace_back(group.key, group.total); });
    std::sort(sorted.begin(), sorted.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [at, total] : sorted) {
      fmt::format_to(std::back_inserter(lines), "{},{},{},{},{},{}\n", question, at, total.count,
                     total.sum, total.min, total.max);
    }
    return Status::Ok();
  }

  const Threads threads_;
  Session& session_;
  Persistent<DataFrame> now_{threads_.mutator.heap()};
  const Persistent<DataFrame>* zones_ = nullptr;
};

class TaxiTrips : public Workload {
 public:
  TaxiTrips() : Workload("dataframe", "Filter, group and join taxi trips, column by column", 2) {
    options().AddCount("rows", "Trips in the table", &rows_, 0, uint64_t{1} << 32);
    options().AddCount("rounds", "How often all is asked", &rounds_, 1, 1 << 20);
    options().AddOutputFile("output", "File to write answers to: question,key,count,sum,min,max",
                            &output_.path);
  }

  void SetScale(Scale scale) override {
    rows_ = scale == Scale::kTiny ? 4'000 : scale == Scale::kSmall ? 100'000 : 500'000;
    rounds_ = scale == Scale::kTiny ? 2 : 4;
  }

  Status Prepare(Progress&) override { return output_.Check(); }

  // The trips, those that are kept, and a copy of these with zones.
  uint64_t LiveBytes() const override {
    constexpr uint64_t kPiece = DataFrame::kRowsPerPiece;
    constexpr uint64_t kColumns = 2 * kTripColumns + 2 + 4;
    const uint64_t pieces = rows_ / kPiece + 1;
    return pieces * (kTripColumns + kColumns) *
           (ObjectBytes(sizeof(Values) + kPiece * sizeof(int64_t)) + sizeof(Member<Values>));
  }

  StatusOr<std::string> Execute(Session& session) override {
    const Threads threads{session.mutator(), threads_};
    Persistent<DataFrame> trips(session.heap());
    Persistent<DataFrame> zones(session.heap());
    {
      Phase build(session, "build");
      Status status = MakeFrame(
          threads, kTripColumns, rows_,
          [this](uint64_t row, std::span<int64_t> trip) { MakeTrip(seed_, row, trip); }, trips);
      if (status.ok()) status = MakeFrame(threads, kZoneColumns, kZones, MakeZone, zones);
      if (!status.ok()) return status;
    }
    Phase measured(session, "measured", rounds_ * Analysis::kSteps * trips->pieces());
    Analysis analysis(session, threads_);
    uint64_t hash = 0;
    for (uint64_t round = 0; round < rounds_; ++round) {
      lines_.clear();
      if (Status status = analysis.Run(trips, zones, lines_); !status.ok()) return status;
      hash = Mix(hash ^ HashBytes(lines_));
    }
    return fmt::format("{:016x}", hash);
  }

  Status WriteOutput() override { return output_.Write(lines_); }

 private:
  uint64_t rows_ = 0;
  uint64_t rounds_ = 0;
  OutputFile output_;
  std::string lines_;
};

}  // namespace
}  // namespace frames

std::unique_ptr<Workload> MakeDataFrame() { return std::make_unique<frames::TaxiTrips>(); }

}  // namespace tandem::workloads
