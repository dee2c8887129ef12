#include "rdma/remote/lock_rescue.h"

#include <dlfcn.h>
#include <link.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>

#include "rdma/remote/shared_memory_files.h"
#include "runtime/base/clock.h"

namespace tandem::rdma {

namespace {

// Mostly longer than a holder that lives needs, so that few look in vain.
constexpr uint64_t kLookEveryNs = 10'000'000;
// Longer than one that lives needs on the busiest machine.
constexpr uint64_t kPatienceNs = 1'000'000'000;
constexpr int kTriesATurn = 256;

// Where the library keeps the address of the imported function; null if it does not import it.
void** ImportOf(const link_map& library, const char* name) {
  const ElfW(Sym)* symbols = nullptr;
  const char* strings = nullptr;
  const ElfW(Rela)* imports = nullptr;
  size_t bytes = 0;
  for (const ElfW(Dyn)* entry = library.l_ld; entry->d_tag != DT_NULL; ++entry) {
    const auto address = entry->d_un.d_ptr;
    if (entry->d_tag == DT_SYMTAB) symbols = reinterpret_cast<const ElfW(Sym)*>(address);
    if (entry->d_tag == DT_STRTAB) strings = reinterpret_cast<const char*>(address);
    if (entry->d_tag == DT_JMPREL) imports = reinterpret_cast<const ElfW(Rela)*>(address);
    if (entry->d_tag == DT_PLTRELSZ) bytes = entry->d_un.d_val;
    // Entries of the other kind are laid out differently; no 64-bit machine of today has them.
    if (entry->d_tag == DT_PLTREL && entry->d_un.d_val != DT_RELA) return nullptr;
  }
  if (symbols == nullptr || strings == nullptr || imports == nullptr) return nullptr;
  for (size_t i = 0; i < bytes / sizeof *imports; ++i) {
    const auto symbol = ELF64_R_SYM(imports[i].r_info);
    if (std::strcmp(strings + symbols[symbol].st_name, name) == 0) {
      return reinterpret_cast<void**>(library.l_addr + imports[i].r_offset);
    }
  }
  return nullptr;
}

struct Protected {
  uintptr_t address;
  bool is_protected = false;
};

// Whether the loader has made the address read-only after it filled the table.
bool IsReadOnly(const void* address) {
  Protected found{reinterpret_cast<uintptr_t>(address)};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto& wanted = *static_cast<Protected*>(data);
        for (int i = 0; i < info->dlpi_phnum; ++i) {
          const ElfW(Phdr)& part = info->dlpi_phdr[i];
          const uintptr_t start = info->dlpi_addr + part.p_vaddr;
          if (part.p_type == PT_GNU_RELRO && wanted.address - start < part.p_memsz) {
            wanted.is_protected = true;
          }
        }
        return 0;
      },
      &found);
  return found.is_protected;
}

}  // namespace

bool RescueLocksOf(void* library) {
  link_map* map = nullptr;
  if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) return false;
  void** const import = ImportOf(*map, "pthread_spin_lock");
  if (import == nullptr) return false;
  const auto page_bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  auto* const page =
      reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(import) & ~(page_bytes - 1));
  const bool read_only = IsReadOnly(import);
  if (read_only && mprotect(page, page_bytes, PROT_READ | PROT_WRITE) != 0) return false;
  // Relaxed: whoever finds the old function still waits as before, and nobody uses the library yet.
  std::atomic_ref(*import).store(reinterpret_cast<void*>(&SpinLockOrRescue),
                                 std::memory_order_relaxed);
  if (read_only) (void)mprotect(page, page_bytes, PROT_READ);
  return true;
}

int SpinLockOrRescue(pthread_spinlock_t* lock) noexcept {
  if (pthread_spin_trylock(lock) == 0) [[likely]]
    return 0;
  const uint64_t start_ns = base::NowNs();
  uint64_t next_look_ns = start_ns + kLookEveryNs;
  for (;;) {
    for (int i = 0; i < kTriesATurn; ++i) {
      if (pthread_spin_trylock(lock) == 0) return 0;
      for (int pauses = 0; pauses < 4; ++pauses) base::CpuRelax();
    }
    sched_yield();  // the holder may wait for this very processor
    const uint64_t now_ns = base::NowNs();
    if (now_ns < next_look_ns) continue;
    next_look_ns = now_ns + kLookEveryNs;
    const Sharers sharers = SharersOf(const_cast<const int*>(lock));
    if (sharers == Sharers::kOwnerDead) return 0;
    if (sharers == Sharers::kSomebodyDead && now_ns - start_ns > kPatienceNs) return 0;
  }
}

}  // namespace tandem::rdma
