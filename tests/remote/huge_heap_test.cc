// What opening a heap costs does not grow with its size: 1 TiB is reserved, not set up.
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/base/os_memory.h"
#include "tandem/tandem.hpp"
#include "tests/remote/server_process.h"

namespace tandem::rdma {
namespace {

// What a heap asks of its fabric.
struct Asked {
  uint64_t channels = 0;
  uint64_t buffers = 0;
  uint64_t buffer_bytes = 0;
  uint64_t slabs = 0;
  uint64_t slab_bytes = 0;

  bool operator==(const Asked&) const = default;
};
Asked g_asked;

// Another fabric, which it counts for: counted:URL.
class CountedFabric final : public Fabric {
 public:
  static StatusOr<std::unique_ptr<Fabric>> Open(std::string_view url) {
    auto inner = Fabric::Open(url.substr(url.find(':') + 1));
    if (!inner.ok()) return inner.status();
    return std::unique_ptr<Fabric>(new CountedFabric(std::move(*inner)));
  }

  std::string Name() const override { return "counted:" + inner_->Name(); }
  StatusOr<uint32_t> LendSlab(uint64_t bytes) override {
    ++g_asked.slabs;
    g_asked.slab_bytes += bytes;
    return inner_->LendSlab(bytes);
  }
  Status RegisterBuffer(void* start, size_t bytes) override {
    ++g_asked.buffers;
    g_asked.buffer_bytes += bytes;
    return inner_->RegisterBuffer(start, bytes);
  }
  StatusOr<std::unique_ptr<Channel>> OpenChannel() override {
    ++g_asked.channels;
    return inner_->OpenChannel();
  }
  bool PinsBuffers() const override { return inner_->PinsBuffers(); }
  void Discard(FarAddress far, uint64_t bytes) override { inner_->Discard(far, bytes); }
  uint64_t TimeoutNs() const override { return inner_->TimeoutNs(); }
  FabricStats Stats() const override { return inner_->Stats(); }
  const char* ServerOf(FarAddress far) const override { return inner_->ServerOf(far); }

 private:
  explicit CountedFabric(std::unique_ptr<Fabric> inner) : inner_(std::move(inner)) {}

  const std::unique_ptr<Fabric> inner_;
};

uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t size = 0;
  uint64_t resident = 0;
  statm >> size >> resident;
  return resident * base::kPageSize;
}

struct Node : tandem::GarbageCollected<Node> {
  explicit Node(uint64_t v) : value(v) {}
  void Trace(Visitor* visitor) const { visitor->Trace(next); }
  Member<Node> next;
  uint64_t value;
};

struct Opening {
  Asked asked;
  uint64_t resident_bytes = 0;
  uint64_t staging_bytes = 0;
  uint64_t metadata_bytes = 0;
};

// Opens a heap, and uses a little of it.
Opening Open(const std::string& fabric, uint64_t heap_bytes) {
  g_asked = {};
  const uint64_t resident = ResidentBytes();
  const uint64_t start = base::NowNs();
  auto heap = Heap::Create(
      {.heap_bytes = heap_bytes, .local_bytes = 64 << 20, .fabric = "counted:" + fabric});
  const uint64_t end = base::NowNs();
  EXPECT_TRUE(heap.ok()) << heap.status().message();
  if (!heap.ok()) return {};
  const HeapMemory memory = (*heap)->Memory();
  Opening opening{g_asked, ResidentBytes() - std::min(resident, ResidentBytes()),
                  memory.staging_bytes, memory.metadata_bytes};
  std::printf("%s, %llu GiB: %llu us, %llu KiB more resident\n", fabric.c_str(),
              static_cast<unsigned long long>(heap_bytes >> 30),
              static_cast<unsigned long long>((end - start) / 1000),
              static_cast<unsigned long long>(opening.resident_bytes >> 10));
  Mutator mutator(**heap);
  Persistent<Node> list(**heap);
  for (uint64_t i = 0; i < 1000; ++i) {
    Node* node = MakeGarbageCollected<Node>(mutator, i);
    node->next = list.Get();
    list = node;
  }
  uint64_t sum = 0;
  for (Node* node = list.Get(); node != nullptr; node = node->next) sum += node->value;
  EXPECT_EQ(sum, 499'500u);
  return opening;
}

class HugeHeap : public ::testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() {
    static const bool once = [] {
      RegisterFabricKind({"counted", {"counted:FABRIC", "for tests"}, CountedFabric::Open});
      return true;
    }();
    (void)once;
  }
};

TEST_P(HugeHeap, OpensAsAnyOther) {
  const std::string name = GetParam();
  const bool here = name != "tcp" && !name.starts_with("shm");
  // Far smaller than the heap: memory is borrowed as the heap grows.
  std::vector<std::string> arguments = {"--listen", "127.0.0.1:0", "--capacity", "256MiB"};
  if (name.starts_with("shm")) {
    arguments = {"--fabric",   name,    "--listen", "huge-" + std::to_string(getpid()),
                 "--capacity", "256MiB"};
  }
  const auto server = here ? nullptr : std::make_unique<ServerProcess>(arguments);
  const std::string fabric = name == "emulated" ? "emulated:rdma40"
                             : name == "sealed" ? "sealed:emulated:none"
                                                : server->url();
  Open(fabric, uint64_t{1} << 30);  // what a process sets up once
  const Opening usual = Open(fabric, uint64_t{1} << 30);
  const Opening huge = Open(fabric, uint64_t{1} << 40);
  EXPECT_EQ(huge.asked, usual.asked);
  EXPECT_GT(huge.asked.buffers, 0u);
  EXPECT_EQ(huge.staging_bytes, usual.staging_bytes);
  EXPECT_LE(huge.metadata_bytes, usual.metadata_bytes + (1 << 20));
  EXPECT_LE(huge.resident_bytes, usual.resident_bytes + (16 << 20));
}

INSTANTIATE_TEST_SUITE_P(Fabrics, HugeHeap,
                         ::testing::Values("emulated", "sealed", "tcp", "shm", "shm-ofi"));

}  // namespace
}  // namespace tandem::rdma
