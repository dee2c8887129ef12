// Made-up taxi trips, in the columns of New York's yellow-cab records, and the zones they are in.
//
// Times are seconds since the year began, money is cents, distances are metres, positions are
// millionths of a degree. A trip depends on its number and the seed alone. About one in fifty is
// wrong in a way that real records are: no passengers, no distance, an end before the beginning.
// Any thread.
#pragma once

#include <cstdint>
#include <span>

namespace tandem::workloads::frames {

enum TripColumn : size_t {
  kVendor,
  kPickupTime,
  kDropoffTime,
  kPassengers,
  kMeteredDistance,
  kPickupLongitude,
  kPickupLatitude,
  kRateCode,
  kStoredAndForwarded,
  kDropoffLongitude,
  kDropoffLatitude,
  kPayment,
  kFare,
  kExtra,
  kTax,
  kTip,
  kTolls,
  kSurcharge,
  kTotalAmount,
  kTripColumns
};

enum ZoneColumn : size_t { kZone, kBorough, kZoneColumns };

constexpr uint64_t kZones = 240;  // some cells of the grid are water
constexpr uint64_t kMonths = 12;

void MakeTrip(uint64_t seed, uint64_t number, std::span<int64_t> trip);

// Zones differ; in no order.
void MakeZone(uint64_t number, std::span<int64_t> zone);

// The cell of the grid that a place is in: the zone of that number, if there is one.
int64_t ZoneOf(int64_t longitude, int64_t latitude);

int64_t HourOf(int64_t time);   // of the day
int64_t MonthOf(int64_t time);  // 30 days each, the last one a little longer

// Metres between two places nearby, down to a whole one.
int64_t Distance(int64_t longitude1, int64_t latitude1, int64_t longitude2, int64_t latitude2);

}  // namespace tandem::workloads::frames
