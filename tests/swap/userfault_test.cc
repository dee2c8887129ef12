#include "runtime/swap/userfault.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

#include "runtime/base/os_memory.h"

namespace tandem::swap {
namespace {

using base::kPageSize;

// Asks the kernel to read from or write to memory: it says EFAULT where an access would trap.
class Probe {
 public:
  Probe() { EXPECT_EQ(pipe(fds_), 0); }
  ~Probe() {
    close(fds_[0]);
    close(fds_[1]);
  }
  bool CanRead(const void* from) {
    if (write(fds_[1], from, 1) != 1) {
      EXPECT_EQ(errno, EFAULT);
      return false;
    }
    char byte;
    EXPECT_EQ(read(fds_[0], &byte, 1), 1);
    return true;
  }
  bool CanWrite(void* to) {
    EXPECT_EQ(write(fds_[1], "x", 1), 1);
    if (read(fds_[0], to, 1) == 1) return true;
    EXPECT_EQ(errno, EFAULT);
    char byte;
    EXPECT_EQ(read(fds_[0], &byte, 1), 1);
    return false;
  }

 private:
  int fds_[2];
};

class UserfaultTest : public ::testing::Test {
 protected:
  static constexpr size_t kPages = 8;

  static base::OsMemory Reserve() {
    return std::move(base::OsMemory::Reserve(kPages * kPageSize, 0, "a test").value());
  }
  static Userfault Open(bool allow_move) { return std::move(Userfault::Open(allow_move).value()); }

  Probe probe_;
};

TEST_F(UserfaultTest, DoesNotMoveWhereThatIsNotAllowed) { EXPECT_FALSE(Open(false).has_move()); }

TEST_F(UserfaultTest, ARegisteredPageIsMissingUntilItIsCopiedIn) {
  for (const bool allow_move : {false, true}) {
    Userfault uffd = Open(allow_move);
    const base::OsMemory memory = Reserve();
    const base::OsMemory source = Reserve();
    std::memset(source.data(), 7, source.size());
    ASSERT_TRUE(uffd.Register(memory.address(), memory.size(), false).ok());
    EXPECT_FALSE(probe_.CanRead(memory.data()));
    EXPECT_FALSE(probe_.CanWrite(memory.data() + kPageSize));
    uffd.Copy(memory.address() + kPageSize, source.data(), 2 * kPageSize);
    EXPECT_FALSE(probe_.CanRead(memory.data()));
    EXPECT_EQ(std::memcmp(memory.data() + kPageSize, source.data(), 2 * kPageSize), 0);
    EXPECT_TRUE(probe_.CanWrite(memory.data() + kPageSize));
    Userfault::Unmap(memory.address() + kPageSize, kPageSize);
    EXPECT_FALSE(probe_.CanRead(memory.data() + kPageSize));
    EXPECT_TRUE(probe_.CanRead(memory.data() + 2 * kPageSize));
  }
}

TEST_F(UserfaultTest, AMovedPageIsMissingWhereItCameFrom) {
  Userfault uffd = Open(true);
  if (!uffd.has_move()) GTEST_SKIP() << "this kernel does not move pages";
  const base::OsMemory memory = Reserve();
  const base::OsMemory other = Reserve();
  ASSERT_TRUE(uffd.Register(memory.address(), memory.size(), false).ok());
  ASSERT_TRUE(uffd.Register(other.address(), other.size(), false).ok());
  uffd.Copy(memory.address(), Reserve().data(), 3 * kPageSize);
  std::memset(memory.data(), 9, 3 * kPageSize);
  uffd.Move(other.address() + kPageSize, memory.address(), 3 * kPageSize);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(probe_.CanRead(memory.data() + i * kPageSize));
    EXPECT_EQ(other.data()[(i + 1) * kPageSize + 5], std::byte{9});
  }
  EXPECT_FALSE(probe_.CanRead(other.data()));
}

TEST_F(UserfaultTest, AProtectedPageCanBeReadButNotWritten) {
  Userfault uffd = Open(false);
  const base::OsMemory memory = Reserve();
  const base::OsMemory source = Reserve();
  ASSERT_TRUE(uffd.Register(memory.address(), memory.size(), true).ok());
  uffd.Copy(memory.address(), source.data(), 2 * kPageSize);
  uffd.WriteProtect(memory.address(), kPageSize);
  EXPECT_TRUE(probe_.CanRead(memory.data()));
  EXPECT_FALSE(probe_.CanWrite(memory.data()));
  EXPECT_TRUE(probe_.CanWrite(memory.data() + kPageSize));
  // Unmapping ends it: the page that comes next can be written.
  Userfault::Unmap(memory.address(), kPageSize);
  uffd.Copy(memory.address(), source.data(), kPageSize);
  EXPECT_TRUE(probe_.CanWrite(memory.data()));
}

TEST_F(UserfaultTest, ProtectionCanBeLifted) {
  Userfault uffd = Open(true);
  if (!uffd.has_write_protect()) GTEST_SKIP() << "this kernel does not protect pages";
  const base::OsMemory memory = Reserve();
  const base::OsMemory source = Reserve();
  ASSERT_TRUE(uffd.Register(memory.address(), memory.size(), true).ok());
  uffd.Copy(memory.address() + kPageSize, source.data(), 2 * kPageSize);
  uffd.WriteProtect(memory.address(), memory.size());  // also where nothing is mapped
  EXPECT_FALSE(probe_.CanWrite(memory.data() + kPageSize));
  uffd.LiftProtection(memory.address(), memory.size());
  EXPECT_TRUE(probe_.CanWrite(memory.data() + kPageSize));
  EXPECT_FALSE(probe_.CanRead(memory.data()));  // missing as before
}

TEST_F(UserfaultTest, WhatArrivesInAProtectedRangeCanBeWritten) {
  Userfault uffd = Open(true);
  if (!uffd.has_write_protect()) GTEST_SKIP() << "this kernel does not protect pages";
  const base::OsMemory memory = Reserve();
  const base::OsMemory source = Reserve();
  const base::OsMemory slots = Reserve();
  ASSERT_TRUE(uffd.Register(memory.address(), memory.size(), true).ok());
  ASSERT_TRUE(uffd.Register(slots.address(), slots.size(), false).ok());
  uffd.Copy(memory.address(), source.data(), kPageSize);
  uffd.WriteProtect(memory.address(), memory.size());
  uffd.Copy(memory.address() + kPageSize, source.data(), kPageSize);
  EXPECT_TRUE(probe_.CanWrite(memory.data() + kPageSize));
  if (uffd.has_move()) {
    uffd.Copy(slots.address(), source.data(), kPageSize);
    uffd.Move(memory.address() + 2 * kPageSize, slots.address(), kPageSize);
    EXPECT_TRUE(probe_.CanWrite(memory.data() + 2 * kPageSize));
    // Protected, released, moved out and in again: nothing is left of the protection.
    uffd.LiftProtection(memory.address(), memory.size());
    uffd.Move(slots.address(), memory.address(), kPageSize);
    uffd.Move(memory.address(), slots.address(), kPageSize);
  }
  uffd.LiftProtection(memory.address(), memory.size());
  EXPECT_TRUE(probe_.CanWrite(memory.data()));
}

TEST_F(UserfaultTest, RangesAreUnmappedTogether) {
  Userfault uffd = Open(true);
  const base::OsMemory memory = Reserve();
  const base::OsMemory source = Reserve();
  ASSERT_TRUE(uffd.Register(memory.address(), memory.size(), false).ok());
  uffd.Copy(memory.address(), source.data(), kPages * kPageSize);
  const iovec ranges[] = {{memory.data(), kPageSize},
                          {memory.data() + 5 * kPageSize, 2 * kPageSize},
                          {memory.data() + 3 * kPageSize, kPageSize}};
  uffd.UnmapAll(ranges);
  uffd.UnmapAll(ranges);  // nothing is left to do
  const bool mapped[kPages] = {false, true, true, false, true, false, false, true};
  for (size_t i = 0; i < kPages; ++i) {
    EXPECT_EQ(probe_.CanRead(memory.data() + i * kPageSize), mapped[i]) << i;
  }
}

TEST_F(UserfaultTest, WhatCannotBeRegisteredIsReported) {
  Userfault uffd = Open(true);
  const base::OsMemory memory = Reserve();
  const Status odd = uffd.Register(memory.address() + 1, kPageSize, false);
  EXPECT_EQ(odd.code(), StatusCode::kUnavailable);
  Userfault second = Open(true);
  ASSERT_TRUE(uffd.Register(memory.address(), memory.size(), false).ok());
  EXPECT_EQ(second.Register(memory.address(), memory.size(), false).code(),
            StatusCode::kUnavailable);
}

TEST_F(UserfaultTest, ClosingEndsTheRegistration) {
  const base::OsMemory memory = Reserve();
  {
    Userfault uffd = Open(true);
    ASSERT_TRUE(uffd.Register(memory.address(), memory.size(), false).ok());
    const Userfault moved(std::move(uffd));
    EXPECT_FALSE(probe_.CanRead(memory.data()));
  }
  EXPECT_TRUE(probe_.CanRead(memory.data()));
}

using UserfaultDeathTest = UserfaultTest;

TEST_F(UserfaultDeathTest, MappingAPageTwiceEndsTheProcess) {
  Userfault uffd = Open(true);
  const base::OsMemory memory = Reserve();
  const base::OsMemory source = Reserve();
  EXPECT_DEATH(
      {
        Userfault child = Open(true);
        (void)child.Register(memory.address(), memory.size(), false);
        child.Copy(memory.address(), source.data(), kPageSize);
        child.Copy(memory.address(), source.data(), kPageSize);
      },
      "mapped twice");
}

// Linux 6.18 reports such moves as failed: the destination is mapped, by the move itself.
TEST_F(UserfaultTest, APageMovesWhileTheKernelAgesIt) {
  Userfault uffd = Open(true);
  if (!uffd.has_move()) GTEST_SKIP() << "this kernel cannot move pages";
  const base::OsMemory memory = Reserve();
  const base::OsMemory slots = Reserve();
  for (const base::OsMemory* m : {&memory, &slots}) {
    madvise(m->data(), m->size(), MADV_NOHUGEPAGE);
    ASSERT_TRUE(uffd.Register(m->address(), m->size(), false).ok());
  }
  const std::array<std::byte, kPageSize> page{std::byte{7}};
  for (size_t i = 0; i < kPages; ++i)
    uffd.Copy(slots.address() + i * kPageSize, page.data(), kPageSize);
  std::atomic<bool> stop{false};
  std::thread aging([&] {
    while (!stop) madvise(memory.data(), memory.size(), MADV_COLD);
  });
  std::thread using_it([&] {  // sets the accessed bits again
    Probe probe;
    while (!stop) probe.CanRead(memory.data());
  });
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  while (std::chrono::steady_clock::now() < end) {
    uffd.Move(memory.address(), slots.address(), memory.size());
    uffd.Move(slots.address(), memory.address(), memory.size());
  }
  stop = true;
  aging.join();
  using_it.join();
  for (size_t i = 0; i < kPages; ++i) {
    EXPECT_EQ(std::memcmp(slots.data() + i * kPageSize, page.data(), kPageSize), 0) << i;
    EXPECT_FALSE(probe_.CanRead(memory.data() + i * kPageSize)) << i;
  }
}

}  // namespace
}  // namespace tandem::swap
