// Counts a process's memory allocations: preloaded by tests/bench into the
// servers for a short run of its own, so that no timing is disturbed.
//
// The count stands in the file $COUNT_ALLOCATIONS.<pid>: eight bytes in the
// machine's order. operator new ends in malloc and is counted there.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {

using Count = std::atomic<uint64_t>;

Count before_the_file{0};
std::atomic<Count*> count{&before_the_file};

void CountOne() {
  count.load(std::memory_order_relaxed)
      ->fetch_add(1, std::memory_order_relaxed);
}

__attribute__((constructor)) void OpenFile() {
  const char* prefix = std::getenv("COUNT_ALLOCATIONS");
  if (prefix == nullptr) return;
  char path[4096];
  std::snprintf(path, sizeof(path), "%s.%d", prefix, getpid());
  const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, sizeof(Count)) != 0) return;
  void* page =
      mmap(nullptr, sizeof(Count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED) count = static_cast<Count*>(page);
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
  CountOne();
  return __libc_malloc(size);
}

void* calloc(size_t members, size_t size) {
  CountOne();
  return __libc_calloc(members, size);
}

void* realloc(void* block, size_t size) {
  CountOne();
  return __libc_realloc(block, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  CountOne();
  return __libc_memalign(alignment, size);
}

void* memalign(size_t alignment, size_t size) {
  CountOne();
  return __libc_memalign(alignment, size);
}

int posix_memalign(void** block, size_t alignment, size_t size) {
  CountOne();
  *block = __libc_memalign(alignment, size);
  return *block == nullptr ? ENOMEM : 0;
}

}  // extern "C"
