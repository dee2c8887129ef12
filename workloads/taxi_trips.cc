#include "workloads/taxi_trips.h"

#include <algorithm>
#include <cstdlib>

#include "workloads/random.h"

namespace tandem::workloads::frames {

namespace {

constexpr int64_t kSecondsPerHour = 3600;
constexpr int64_t kSecondsPerDay = 24 * kSecondsPerHour;
constexpr int64_t kDaysPerYear = 365;

// The grid: 16 by 16 cells of a hundredth of a degree.
constexpr int64_t kWest = -74'060'000;
constexpr int64_t kSouth = 40'640'000;
constexpr int64_t kCell = 10'000;
constexpr int64_t kCellsPerSide = 16;
constexpr int64_t kSide = kCell * kCellsPerSide;

// Metres in 1000 millionths of a degree, there.
constexpr int64_t kMetresPerLongitude = 84;
constexpr int64_t kMetresPerLatitude = 111;

// How likely a trip begins in each hour, in parts of 100.
constexpr int64_t kHours[24] = {4, 3, 2, 1, 1, 1, 2, 4, 5, 5, 4, 5,
                                5, 5, 5, 4, 4, 5, 6, 7, 6, 6, 5, 5};

int64_t Below(Random& random, int64_t limit) {
  return static_cast<int64_t>(random.Below(static_cast<uint64_t>(limit)));
}

// Most often near the middle.
int64_t NearTheMiddle(Random& random, int64_t limit) {
  return (Below(random, limit) + Below(random, limit) + Below(random, limit)) / 3;
}

int64_t DrawHour(Random& random) {
  int64_t left = Below(random, 100);
  int64_t hour = 0;
  while (left >= kHours[hour]) left -= kHours[hour++];
  return hour;
}

int64_t SquareRoot(int64_t square) {
  int64_t root = 0;
  for (int64_t bit = int64_t{1} << 31; bit != 0; bit >>= 1) {
    if ((root + bit) * (root + bit) <= square) root += bit;
  }
  return root;
}

}  // namespace

void MakeTrip(uint64_t seed, uint64_t number, std::span<int64_t> trip) {
  Random random(Mix(seed) ^ Mix(number + 1));
  std::fill(trip.begin(), trip.end(), 0);
  trip[kVendor] = 1 + Below(random, 2);
  trip[kPickupTime] = Below(random, kDaysPerYear) * kSecondsPerDay +
                      DrawHour(random) * kSecondsPerHour + Below(random, kSecondsPerHour);
  trip[kPassengers] = 1 + NearTheMiddle(random, 6) * Below(random, 2);
  trip[kPickupLongitude] = kWest + NearTheMiddle(random, kSide);
  trip[kPickupLatitude] = kSouth + NearTheMiddle(random, kSide);
  trip[kDropoffLongitude] = kWest + NearTheMiddle(random, kSide);
  trip[kDropoffLatitude] = kSouth + NearTheMiddle(random, kSide);
  trip[kMeteredDistance] = Distance(trip[kPickupLongitude], trip[kPickupLatitude],
                                    trip[kDropoffLongitude], trip[kDropoffLatitude]) *
                           (120 + Below(random, 40)) / 100;
  const int64_t metres_per_second = 3 + Below(random, 8);
  trip[kDropoffTime] = trip[kPickupTime] + 60 + trip[kMeteredDistance] / metres_per_second;
  trip[kRateCode] = Below(random, 50) == 0 ? 2 : 1;
  trip[kStoredAndForwarded] = Below(random, 100) == 0;
  trip[kPayment] = 1 + Below(random, 2);
  trip[kFare] = 250 + trip[kMeteredDistance] * 155 / 1000;
  trip[kExtra] = HourOf(trip[kPickupTime]) >= 20 ? 50 : 0;
  trip[kTax] = 50;
  trip[kTip] = trip[kPayment] == 1 ? trip[kFare] * Below(random, 30) / 100 : 0;
  trip[kTolls] = Below(random, 20) == 0 ? 554 : 0;
  trip[kSurcharge] = 30;
  switch (Below(random, 150)) {
    case 0:
      trip[kPassengers] = 0;
      break;
    case 1:
      trip[kMeteredDistance] = 0;
      break;
    case 2:
      trip[kDropoffTime] = trip[kPickupTime] - 1;
      break;
    default:
      break;
  }
  trip[kTotalAmount] =
      trip[kFare] + trip[kExtra] + trip[kTax] + trip[kTip] + trip[kTolls] + trip[kSurcharge];
}

void MakeZone(uint64_t number, std::span<int64_t> zone) {
  constexpr uint64_t kStep = 97;  // has no factor in common with the number of cells
  constexpr uint64_t kCells = kCellsPerSide * kCellsPerSide;
  zone[kZone] = static_cast<int64_t>(number * kStep % kCells);
  const int64_t column = zone[kZone] % kCellsPerSide;
  const int64_t row = zone[kZone] / kCellsPerSide;
  zone[kBorough] = 1 + column / 8 + row / 8 * 2;
}

int64_t ZoneOf(int64_t longitude, int64_t latitude) {
  return (latitude - kSouth) / kCell * kCellsPerSide + (longitude - kWest) / kCell;
}

int64_t HourOf(int64_t time) { return time % kSecondsPerDay / kSecondsPerHour; }

int64_t MonthOf(int64_t time) {
  return std::min<int64_t>(time / (30 * kSecondsPerDay), kMonths - 1);
}

int64_t Distance(int64_t longitude1, int64_t latitude1, int64_t longitude2, int64_t latitude2) {
  const int64_t x = std::abs(longitude1 - longitude2) * kMetresPerLongitude / 1000;
  const int64_t y = std::abs(latitude1 - latitude2) * kMetresPerLatitude / 1000;
  return SquareRoot(x * x + y * y);
}

}  // namespace tandem::workloads::frames
