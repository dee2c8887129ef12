// The stress test: mutators, tracers, evictor and a faulty fabric, all at once.
//
// Every object carries a checksum; every thread builds, moves, checks and drops parts of one
// graph that all share, and does whatever else the API allows: weak references, finalizers, large
// objects, pins, raw pointers that trap, blocking, leaving and coming back, full heaps. All cycles
// are verified. Each thread draws from a seed of its own, derived from --seed; schedules differ
// from run to run all the same.
//
// Over a memory server that may die (--survive-loss), a lost page ends the process with exit code 3
// and its reason, after the other threads have gone on with what they have for a moment: a page
// that is lost may not be seen as anything else. server_test.py starts and kills such servers.
//
// What is shared follows the API's rules: objects are published through Members or under a lock;
// an object's payload and blob belong to the thread that made it.
#include <poll.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "rdma/remote/remote_fabric.h"
#include "tandem/tandem.hpp"

namespace {

using tandem::Array;
using tandem::Heap;
using tandem::MakeGarbageCollected;
using tandem::Member;
using tandem::Mutator;
using tandem::Persistent;
using tandem::Visitor;
using tandem::WeakMember;

struct Options {
  double seconds = 5;
  uint64_t seed = 0;
  std::string road = "move";
  std::string fabric = "emulated:rdma40,loss=0.0005,delay=0.005,damage=0.0005,timeout_ms=5";
  std::string order = "lifo";
  std::string prefetcher = "none";
  unsigned tracers = 2;
  unsigned mutators = 4;
  bool survive_loss = false;
#ifdef TANDEM_SANITIZER
  uint64_t heap = 24 << 20;
  uint64_t local = 1 << 20;
#else
  uint64_t heap = 64 << 20;
  uint64_t local = 4 << 20;
#endif
};

Options g_options;

[[noreturn]] void Violation(const char* what, uint64_t a = 0, uint64_t b = 0) {
  std::fprintf(
      stderr,
      "stress: VIOLATION: %s (%" PRIu64 ", %" PRIu64
      ")\nstress: again with: stress_test --seconds %g --seed %" PRIu64
      " --road %s --fabric %s --tracers %u --order %s --prefetcher %s --mutators %u --heap %" PRIu64
      " --local %" PRIu64 " --survive-loss %s\n",
      what, a, b, g_options.seconds, g_options.seed, g_options.road.c_str(),
      g_options.fabric.c_str(), g_options.tracers, g_options.order.c_str(),
      g_options.prefetcher.c_str(), g_options.mutators, g_options.heap, g_options.local,
      g_options.survive_loss ? "yes" : "no");
  std::_Exit(1);
}

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

constexpr int kExitLost = 3;

// Perhaps in a signal handler.
void OnLostPage(const tandem::LostPage& page) {
  static std::atomic<bool> told{false};
  if (!g_options.survive_loss) Violation(page.reason);
  if (!told.exchange(true)) {
    (void)poll(nullptr, 0, 200);  // the others go on
    for (const char* text : {"stress: lost: ", page.reason, "\n"}) {
      (void)!write(2, text, std::strlen(text));
    }
    std::_Exit(kExitLost);
  }
  while (true) pause();
}

using Blob = Array<uint64_t>;

struct Object : tandem::GarbageCollected<Object> {
  static constexpr size_t kReferences = 4;

  Object(uint64_t i, uint64_t o) : id(i), owner(o), check(Mix(i * 64 + o)) {
    for (size_t p = 0; p < payload.size(); ++p) payload[p] = Mix(i + p);
  }
  void Trace(Visitor* visitor) const {
    visitor->TraceRange(references, kReferences);
    visitor->Trace(weak);
    visitor->Trace(blob);
    visitor->Trace(table);
  }
  // Any thread. Relaxed: whoever has the reference has it from a release store that came after
  // these, and reads through it.
  void Check() const {
    const uint64_t i = id.load(std::memory_order_relaxed);
    const uint64_t o = owner.load(std::memory_order_relaxed);
    if (check.load(std::memory_order_relaxed) != Mix(i * 64 + o)) Violation("damaged object", i, o);
  }
  bool IsMine(uint64_t me) const { return owner.load(std::memory_order_relaxed) == me; }

  // The owner: a running sum over the payload stays what it is under Shift.
  void CheckPayload() const {
    const uint64_t i = id.load(std::memory_order_relaxed);
    uint64_t want = 0;
    uint64_t have = 0;
    for (size_t p = 0; p < payload.size(); ++p) {
      want += Mix(i + p);
      have += payload[p];
    }
    if (have != want) Violation("a payload lost a store", i);
  }
  void Shift(uint64_t by) {
    payload[by % payload.size()] += by;
    payload[(by + 1) % payload.size()] -= by;
  }

  std::atomic<uint64_t> id;
  std::atomic<uint64_t> owner;
  std::atomic<uint64_t> check;
  std::array<uint64_t, 3> payload;
  Member<Object> references[kReferences];
  WeakMember<Object> weak;
  Member<Blob> blob;
  Member<Array<Member<Object>>> table;
};

std::atomic<uint64_t> g_finalized{0};

// Checks at its death that what it refers to is intact.
struct Witness : tandem::GarbageCollected<Witness> {
  explicit Witness(Object* o) : object(o) {}
  ~Witness() {
    if (dead) Violation("a finalizer ran twice");
    dead = true;
    if (!object) Violation("a finalizer's object has lost its reference");
    for (Object* o = object; o != nullptr && o != o->references[0].Get() && steps < 20; ++steps) {
      o->Check();
      o = o->references[0];
    }
    ++g_finalized;
  }
  void Trace(Visitor* visitor) const { visitor->Trace(object); }
  const Member<Object> object;
  bool dead = false;
  int steps = 0;
};

constexpr size_t kRoots = 256;
constexpr size_t kMailbox = 64;
using Table = Array<Member<Object>>;

struct Shared {
  Heap* heap = nullptr;
  std::vector<std::unique_ptr<Persistent<Table>>> roots;
  std::unique_ptr<Persistent<Table>> mailbox;
  std::mutex mailbox_mutex;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> operations{0};
  std::atomic<uint64_t> full{0};
};

class Worker {
 public:
  Worker(Shared& shared, uint64_t me)
      : shared_(shared), me_(me), random_(Mix(g_options.seed * 1000 + me)) {
    if (pipe(pipe_) != 0) Violation("no pipe");
  }
  ~Worker() {
    close(pipe_[0]);
    close(pipe_[1]);
  }

  void Run() {
    while (!shared_.stop.load(std::memory_order_relaxed)) {
      Mutator mutator(*shared_.heap);
      mutator_ = &mutator;
      const uint64_t life = 1 + Random(4000);
      for (uint64_t i = 0; i < life && !shared_.stop.load(std::memory_order_relaxed); ++i) {
        Operate();
        shared_.operations.fetch_add(1, std::memory_order_relaxed);
      }
      mutator_ = nullptr;
    }
  }

 private:
  uint64_t Random(uint64_t below) { return random_() % below; }
  Table& Roots() { return **shared_.roots[me_]; }

  // Some object in the graph, reached by a checked walk; null if the walk ends early.
  [[gnu::noinline]] Object* Pick(uint64_t steps) {
    Object* object = Roots()[Random(kRoots)];
    while (object != nullptr) {
      object->Check();
      if (steps-- == 0) break;
      Object* next = Random(16) == 0 ? object->weak.Get()
                                     : object->references[Random(Object::kReferences)].Get();
      if (next == nullptr) break;
      object = next;
    }
    return object;
  }

  Blob* MakeBlob(size_t length) {
    Blob* blob = Blob::Make(*mutator_, length);
    if (blob == nullptr) return nullptr;
    if (blob->length() != length) Violation("an array of a wrong length", length);
    for (size_t i = 0; i < length; ++i) {
      uint64_t& element = Random(2) == 0 ? (*blob)[i] : blob->data()[i];
      if (element != 0) Violation("new memory is not zero", length, i);
      element = Mix(length + i);
    }
    return blob;
  }
  void CheckBlob(Blob* blob, bool trap) {
    const size_t length = blob->length();
    const size_t stride = 1 + Random(length > 64 ? 32 : 1);
    for (size_t i = Random(stride); i < length; i += stride) {
      const uint64_t element = trap ? blob->data()[i] : (*blob)[i];
      if (element != Mix(length + i)) Violation("a damaged element", length, i);
    }
  }

  Object* MakeObject() {
    Object* object = MakeGarbageCollected<Object>(*mutator_, random_() >> 8, me_);
    if (object == nullptr) return nullptr;
    const uint64_t lot = Random(200);
    if (lot < 20) object->blob = MakeBlob(Random(60));
    if (lot == 20) object->blob = MakeBlob(300 + Random(3000));       // medium
    if (lot == 21) object->blob = MakeBlob(4096 + Random(4 * 8192));  // large
    if (lot == 22) object->table = Table::Make(*mutator_, Random(100));
    if (lot == 23) object->table = Table::Make(*mutator_, 5000 + Random(5000));
    if (lot == 24) (void)MakeGarbageCollected<Witness>(*mutator_, object);
    return object;
  }

  [[gnu::noinline]] Object* MakeGraph(uint64_t size) {
    Object* last = nullptr;
    for (uint64_t i = 0; i < size; ++i) {
      Object* object = MakeObject();
      if (object == nullptr) {
        ++shared_.full;
        DropSome();
        return last;
      }
      object->references[0] = last;
      object->references[1 + Random(3)] = Pick(2);
      object->weak = Pick(3);
      last = object;
    }
    return last;
  }

  void DropSome() {
    for (size_t i = 0; i < kRoots / 2; ++i) Roots()[Random(kRoots)] = nullptr;
    for (size_t i = 0; i < kRoots; ++i) {
      if (Object* object = Roots()[i]) {
        for (auto& r : object->references) r = nullptr;
      }
    }
  }

  void Pin(Blob* blob) {
    const size_t bytes = std::min<size_t>(blob->length() * 8, 8192);
    std::array<char, 8192> copy;
    tandem::PinScope pin(*mutator_, blob->data(), bytes);
    if (write(pipe_[1], blob->data(), bytes) != static_cast<ssize_t>(bytes)) {
      Violation("write(2) from pinned memory failed", bytes);
    }
    if (read(pipe_[0], copy.data(), bytes) != static_cast<ssize_t>(bytes)) {
      Violation("read(2) failed", bytes);
    }
    for (size_t i = 0; i < bytes / 8; ++i) {
      uint64_t element;
      std::memcpy(&element, &copy[i * 8], 8);
      if (element != Mix(blob->length() + i)) Violation("write(2) saw other bytes", i);
    }
  }

  void Operate() {
    const uint64_t lot = Random(1000);
    if (lot < 250) {
      Roots()[Random(kRoots)] = MakeGraph(1 + Random(30));
    } else if (lot < 450) {  // move a reference
      Object* from = Pick(Random(8));
      Object* to = Pick(Random(8));
      if (from == nullptr || to == nullptr) return;
      auto& source = from->references[Random(Object::kReferences)];
      Object* moved = source;
      source = nullptr;
      to->references[Random(Object::kReferences)] = moved;
      if (moved != nullptr) moved->Check();
    } else if (lot < 500) {  // cut
      if (Object* object = Pick(Random(8))) object->references[Random(4)] = nullptr;
    } else if (lot < 600) {  // weak
      Object* object = Pick(Random(8));
      if (object == nullptr) return;
      if (Object* target = object->weak.Get()) {
        target->Check();
        object->references[Random(4)] = target;  // resurrected from a weak load
      } else {
        object->weak = Pick(Random(8));
      }
    } else if (lot < 800) {  // payload and blob, through raw pointers that may trap
      Object* object = Pick(Random(20));
      if (object == nullptr || !object->IsMine(me_)) return;
      object->CheckPayload();
      object->Shift(random_());
      object->CheckPayload();
      if (Blob* blob = object->blob) CheckBlob(blob, Random(2) == 0);
      if (Table* table = object->table) {
        for (int i = 0; i < 10 && table->length() > 0; ++i) {
          auto& element = (*table)[Random(table->length())];
          if (Object* o = element) o->Check();
          element = Pick(Random(4));
        }
      }
    } else if (lot < 830) {  // hints: of far and of local, perhaps of null
      Object* object = Pick(Random(20));
      if (object == nullptr) return;
      for (const auto& r : object->references) mutator_->Prefetch(r);
    } else if (lot < 880) {  // a long checked walk
      for (int i = 0; i < 5; ++i) Pick(30);
    } else if (lot < 910) {
      Object* object = Pick(Random(20));
      if (object == nullptr || !object->IsMine(me_) || !object->blob) return;
      Blob* blob = object->blob;
      if (blob->length() == 0) return;
      if (Random(2) == 0) {
        Pin(blob);
      } else {
        if (Random(4) == 0) {
          mutator_->PrefetchRange(blob->data(), blob->length() * 8);
        } else {
          mutator_->FetchRange(blob->data(), blob->length() * 8);
        }
        CheckBlob(blob, true);
      }
    } else if (lot < 950) {  // hand over
      Object* object = Pick(Random(6));
      const size_t slot = Random(kMailbox);
      std::unique_lock lock(shared_.mailbox_mutex, std::defer_lock);
      {
        tandem::BlockingScope blocking(*mutator_);
        lock.lock();
      }
      Table& mailbox = **shared_.mailbox;
      Object* taken = mailbox[slot];
      mailbox[slot] = object;
      lock.unlock();
      if (taken != nullptr) {
        taken->Check();
        Roots()[Random(kRoots)] = taken;
      }
    } else if (lot < 970) {
      shared_.heap->RunFinalizers(Random(20));
    } else if (lot < 985) {
      tandem::BlockingScope blocking(*mutator_);
      std::this_thread::sleep_for(std::chrono::microseconds(Random(2000)));
    } else if (lot < 995) {
      mutator_->Safepoint();
      for (int i = 0; i < 8; ++i) Roots()[Random(kRoots)] = nullptr;
    } else if (lot < 998) {
      shared_.heap->RequestCollection();
    } else {
      Object* held = Pick(5);  // on the stack only, perhaps
      Roots()[Random(kRoots)] = nullptr;
      shared_.heap->Collect();
      if (held != nullptr) held->Check();
    }
  }

  Shared& shared_;
  const uint64_t me_;
  std::mt19937_64 random_;
  Mutator* mutator_ = nullptr;
  int pipe_[2];
};

[[noreturn]] void Usage(const std::string& problem) {
  std::fprintf(stderr,
               "stress_test: %s; valid are --seconds N --seed N --road move|copy --fabric URL "
               "--tracers N --order NAME --prefetcher NAME --mutators N --heap BYTES[K|M|G] "
               "--local BYTES[K|M|G] --survive-loss yes|no\n",
               problem.c_str());
  std::exit(2);
}

double Number(const std::string& name, const std::string& text) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  switch (*end) {
    case 'K':
      value *= 1 << 10, ++end;
      break;
    case 'M':
      value *= 1 << 20, ++end;
      break;
    case 'G':
      value *= 1 << 30, ++end;
      break;
    default:
      break;
  }
  if (end == text.c_str() || *end != 0 || value < 0) Usage(name + " is not a number: " + text);
  return value;
}

void Parse(int argc, char** argv) {
  Options& o = g_options;
  const char* seed = std::getenv("TANDEM_TEST_SEED");
  o.seed = seed != nullptr ? std::strtoull(seed, nullptr, 0) : std::random_device{}();
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    if (i + 1 == argc) Usage(name + " needs a value");
    const std::string value = argv[i + 1];
    if (name == "--seconds")
      o.seconds = Number(name, value);
    else if (name == "--seed")
      o.seed = std::strtoull(value.c_str(), nullptr, 0);
    else if (name == "--road")
      o.road = value;
    else if (name == "--fabric")
      o.fabric = value;
    else if (name == "--order")
      o.order = value;
    else if (name == "--prefetcher")
      o.prefetcher = value;
    else if (name == "--tracers")
      o.tracers = static_cast<unsigned>(Number(name, value));
    else if (name == "--mutators")
      o.mutators = static_cast<unsigned>(Number(name, value));
    else if (name == "--heap")
      o.heap = static_cast<uint64_t>(Number(name, value));
    else if (name == "--local")
      o.local = static_cast<uint64_t>(Number(name, value));
    else if (name == "--survive-loss" && (value == "yes" || value == "no"))
      o.survive_loss = value == "yes";
    else
      Usage("unknown option or value: " + name);
  }
  if (o.road != "move" && o.road != "copy") Usage("unknown road " + o.road);
  if (o.mutators < 1 || o.mutators > 63) Usage("--mutators must be between 1 and 63");
}

int Main(int argc, char** argv) {
  Parse(argc, argv);
  const Options& o = g_options;
  std::printf("stress: --seed %" PRIu64
              " (again: --seed, or TANDEM_TEST_SEED in the environment)\n",
              o.seed);
  std::fflush(stdout);
  auto created = Heap::Create({.heap_bytes = o.heap,
                               .local_bytes = o.local,
                               .fabric = o.fabric,
                               .order = o.order,
                               .tracer_threads = o.tracers,
                               .prefetcher = o.prefetcher,
                               .use_move = o.road == "move",
                               .on_lost_page = OnLostPage,
                               .verify = true});
  if (!created.ok()) {
    std::fprintf(stderr, "stress_test: %s\n", created.status().message().c_str());
    return 2;
  }
  Shared shared;
  shared.heap = created->get();
  {
    Mutator mutator(*shared.heap);
    for (unsigned i = 0; i < o.mutators; ++i) {
      shared.roots.push_back(
          std::make_unique<Persistent<Table>>(*shared.heap, Table::Make(mutator, kRoots)));
    }
    shared.mailbox =
        std::make_unique<Persistent<Table>>(*shared.heap, Table::Make(mutator, kMailbox));
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < o.mutators; ++i) {
      threads.emplace_back([&shared, i] { Worker(shared, i).Run(); });
    }
    {
      tandem::BlockingScope blocking(mutator);
      std::this_thread::sleep_for(std::chrono::duration<double>(o.seconds));
      shared.stop = true;
      for (auto& thread : threads) thread.join();
    }
    // All that is left, checked in full.
    shared.heap->Collect();
    uint64_t left = 0;
    for (auto& roots : shared.roots) {
      for (size_t i = 0; i < kRoots; ++i) {
        Object* object = (**roots)[i];
        for (int depth = 0; object != nullptr && depth < 1000; ++depth, ++left) {
          object->Check();
          object->CheckPayload();
          object = object->references[0];
        }
      }
    }
    shared.heap->RunFinalizers();
    auto counters = shared.heap->Counters();
    std::printf("stress: ok, %" PRIu64 " operations, %" PRIu64 " finalized, heap full %" PRIu64
                " times, %" PRIu64 " walked at the end;",
                shared.operations.load(), g_finalized.load(), shared.full.load(), left);
    for (const char* name : {"gc.cycles", "gc.verified_objects", "fetch.demand.mutator",
                             "fetch.demand.collector", "fetch.prefetch", "prefetch.hits",
                             "fetch.hint", "evict.writeback", "fabric.faults_injected"}) {
      std::printf(" %s %" PRIu64, name, counters[name]);
    }
    std::printf("\n");
    if (counters["gc.cycles"] == 0) Violation("no cycle ran");
    if (counters["gc.verified_objects"] == 0) Violation("nothing was verified");
    if (shared.heap->Memory().local_peak_bytes > o.local) Violation("more was local than allowed");
    shared.roots.clear();
    shared.mailbox.reset();
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  tandem::rdma::RegisterRemoteFabrics();
  return Main(argc, argv);
}
