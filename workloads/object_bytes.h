// ObjectBytes: what an object costs, for estimates of how much lives. Any thread.
#pragma once

#include <cstdint>

namespace tandem::workloads {

// What a managed object with so many bytes of fields takes up.
constexpr uint64_t ObjectBytes(uint64_t payload) { return (payload + 8 + 15) / 16 * 16; }

// What small objects take up that live among others which die one by one: memory is reused in
// lines, and one living object keeps its line. A rule of thumb.
constexpr uint64_t WithHoles(uint64_t object_bytes) { return 2 * object_bytes; }

}  // namespace tandem::workloads
