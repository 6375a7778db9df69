// SPDX-License-Identifier: Apache-2.0
#include "control/segment_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "ledger/open_table.h"

namespace leat::control {
namespace {

constexpr std::size_t kZeroBytes = std::size_t{1} << 20;  // written at once
constexpr mode_t kMode = 0600;
constexpr const char* kUnfinished = ".making";

std::unexpected<Error> system_error(const char* what) {
  const bool is_out = errno == ENOSPC || errno == EDQUOT || errno == EMFILE || errno == ENFILE;
  return fail(
      {.code = is_out ? Code::kOverloaded : Code::kInternal, .os_errno = errno, .what = what});
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::string segment_name(const ledger::SegmentIdentity& identity) {
  return fmt::format("{:016x}-{:04x}-{:08x}.segment", identity.generation, identity.shard,
                     identity.number);
}
std::string open_table_name(const ledger::SegmentIdentity& owner) {
  return fmt::format("{:016x}-{:04x}.open", owner.generation, owner.shard);
}
std::string generation_name(std::uint64_t generation) {
  return fmt::format("{:016x}.generation", generation);
}

// Takes a number and what follows it off the front.
bool take_hex(std::string_view& name, std::string_view end, std::uint64_t& number) {
  const auto [at, error] = std::from_chars(name.data(), name.data() + name.size(), number, 16);
  if (error != std::errc()) return false;
  name.remove_prefix(static_cast<std::size_t>(at - name.data()));
  if (!name.starts_with(end)) return false;
  name.remove_prefix(end.size());
  return true;
}

std::optional<LedgerFile> parse_name(const std::string& name) {
  LedgerFile file;
  file.name = name;
  std::string_view rest = name;
  std::uint64_t shard = 0;
  if (!take_hex(rest, "-", file.owner.generation)) return {};
  const std::string_view after_generation = rest;
  if (take_hex(rest, ".open", shard) && rest.empty()) {
    file.kind = LedgerFile::Kind::kOpenTable;
  } else {
    rest = after_generation;
    if (!take_hex(rest, "-", shard) || !take_hex(rest, ".segment", file.owner.number)) return {};
    if (!rest.empty()) return {};
  }
  if (shard > UINT32_MAX) return {};
  file.owner.shard = static_cast<std::uint32_t>(shard);
  return file;
}

// With O_DIRECT where the file system does that.
int open_direct(int folder, const std::string& name, int flags) {
  const int fd = ::openat(folder, name.c_str(), flags | O_CLOEXEC | O_DIRECT, kMode);
  if (fd >= 0 || errno != EINVAL) return fd;
  // Some create the file before they refuse the flag.
  if ((flags & O_CREAT) != 0) ::unlinkat(folder, name.c_str(), 0);
  return ::openat(folder, name.c_str(), flags | O_CLOEXEC, kMode);
}

int create_file(int folder, const std::string& name) {
  return open_direct(folder, name, O_CREAT | O_EXCL | O_RDWR);
}

// The header, then zeros: written and not only reserved, since the first write to reserved space
// would change the file's metadata, and each commit would wait for that.
bool fill(int fd, const ledger::SegmentHeader& header) {
  const std::unique_ptr<char, decltype(&std::free)> memory(
      static_cast<char*>(std::aligned_alloc(ledger::kBlockBytes, kZeroBytes)), &std::free);
  LEAT_CHECK(memory != nullptr);
  const std::span<char> bytes(memory.get(), kZeroBytes);
  std::fill(bytes.begin(), bytes.end(), '\0');
  ledger::write_segment_header(header, bytes);
  for (std::uint64_t at = 0; at < header.bytes;) {
    const std::size_t size = std::min<std::uint64_t>(kZeroBytes, header.bytes - at);
    const ssize_t count = ::pwrite(fd, bytes.data(), size, static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    if (at == 0) std::fill(bytes.begin(), bytes.begin() + ledger::kSegmentHeaderBytes, '\0');
    at += static_cast<std::size_t>(count);
    if (at % ledger::kBlockBytes != 0) {  // the last bytes of a full disk
      errno = ENOSPC;
      return false;
    }
  }
  return ::fsync(fd) == 0;
}

Result<std::vector<std::string>> file_names(int folder) {
  // A descriptor of its own, since the stream closes it and moves its position.
  const int fd = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = fd >= 0 ? ::fdopendir(fd) : nullptr;
  if (stream == nullptr) {
    if (fd >= 0) ::close(fd);
    return system_error("the ledger's folder cannot be read");
  }
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(stream)) names.emplace_back(entry->d_name);
  ::closedir(stream);
  return names;
}

}  // namespace

// ---- MappedFile ----

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
}

// ---- ReadableFile ----

ReadableFile::ReadableFile(ReadableFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

ReadableFile& ReadableFile::operator=(ReadableFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

ReadableFile::~ReadableFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::size_t> ReadableFile::read(std::uint64_t offset, std::span<char> into) const {
  std::size_t size = 0;
  while (size < into.size()) {
    const ssize_t count =
        ::pread(fd_, into.data() + size, into.size() - size, static_cast<off_t>(offset + size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("a ledger file cannot be read");
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  return size;
}

Result<WallTime> ReadableFile::written() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return system_error("a ledger file cannot be read");
  return WallTime{status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

// ---- SegmentFolder ----

bool is_gone(const Error& error) {
  return error.os_errno == ENOENT;
}

LedgerFile segment_file(const ledger::SegmentIdentity& identity) {
  return {.kind = LedgerFile::Kind::kSegment, .name = segment_name(identity), .owner = identity};
}

Result<SegmentFolder> SegmentFolder::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error("the ledger's folder cannot be opened");
  return SegmentFolder(fd);
}

SegmentFolder::SegmentFolder(SegmentFolder&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), alive_fd_(std::exchange(other.alive_fd_, -1)) {}

SegmentFolder& SegmentFolder::operator=(SegmentFolder&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(alive_fd_, other.alive_fd_);
  return *this;
}

SegmentFolder::~SegmentFolder() {
  if (fd_ >= 0) ::close(fd_);
  if (alive_fd_ >= 0) ::close(alive_fd_);
}

Result<bool> SegmentFolder::sync() const {
  if (::fsync(fd_) != 0) return system_error("the ledger's folder cannot be synced");
  return true;
}

Result<bool> SegmentFolder::lock() {
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) return system_error("the ledger's folder cannot be locked");
  return fail({.code = Code::kOverloaded, .what = "another process has the ledger's folder"});
}

void SegmentFolder::unlock() {
  ::flock(fd_, LOCK_UN);
}

// A lock of its own on the generation's file: it ends with its process, however that ends.
Result<bool> SegmentFolder::mark_alive(std::uint64_t generation) {
  alive_fd_ = ::openat(fd_, generation_name(generation).c_str(), O_RDONLY | O_CLOEXEC);
  if (alive_fd_ < 0 || ::flock(alive_fd_, LOCK_EX | LOCK_NB) != 0) {
    return system_error("a ledger's generation cannot be locked");
  }
  return true;
}

bool SegmentFolder::is_alive(std::uint64_t generation) const {
  const Descriptor file(::openat(fd_, generation_name(generation).c_str(), O_RDONLY | O_CLOEXEC));
  return file.get() >= 0 && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

// The file system decides who was first, should two processes start at once.
Result<std::uint64_t> SegmentFolder::take_generation(std::string_view boot) {
  LEAT_TRY(const auto names, file_names(fd_));
  std::uint64_t generation = 1;
  for (const std::string& name : names) {
    std::string_view rest = name;
    std::uint64_t taken = 0;
    if (take_hex(rest, "", taken) && taken < UINT64_MAX) {
      generation = std::max(generation, taken + 1);
    }
  }
  for (;; ++generation) {
    const Descriptor file(::openat(fd_, generation_name(generation).c_str(),
                                   O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, kMode));
    if (file.get() < 0 && errno == EEXIST) continue;
    if (file.get() < 0 ||
        ::write(file.get(), boot.data(), boot.size()) != static_cast<ssize_t>(boot.size()) ||
        ::fsync(file.get()) != 0) {
      return system_error("the ledger's folder cannot be written to");
    }
    LEAT_TRY_VOID(sync());
    return generation;
  }
}

std::string SegmentFolder::boot_of(std::uint64_t generation) const {
  const auto text = read_file(generation_name(generation).c_str());
  return text ? *text : std::string();
}

Result<bool> SegmentFolder::forget_generations_before(std::uint64_t generation) {
  LEAT_TRY(const auto names, file_names(fd_));
  std::set<std::uint64_t> open;
  for (const std::string& name : names) {
    const auto file = parse_name(name);
    if (file && file->kind == LedgerFile::Kind::kOpenTable) open.insert(file->owner.generation);
  }
  for (const std::string& name : names) {
    std::string_view rest = name;
    std::uint64_t owner = 0;
    if (!take_hex(rest, ".generation", owner) || !rest.empty()) continue;
    if (owner >= generation || open.contains(owner)) continue;
    if (::unlinkat(fd_, name.c_str(), 0) != 0 && errno != ENOENT) {
      return system_error("an old generation cannot be removed");
    }
  }
  return sync();
}

Result<ledger::SegmentFile> SegmentFolder::create_segment(const ledger::SegmentIdentity& identity,
                                                          std::uint64_t bytes, WallTime now) {
  const std::string unfinished = segment_name(identity) + kUnfinished;
  const int fd = create_file(fd_, unfinished);
  if (fd < 0) return system_error("a ledger segment cannot be made");
  return finish_segment(fd, unfinished, {.identity = identity, .bytes = bytes, .created = now});
}

Result<ledger::SegmentFile> SegmentFolder::recycle_segment(const LedgerFile& old,
                                                           const ledger::SegmentIdentity& identity,
                                                           std::uint64_t bytes, WallTime now) {
  const std::string unfinished = segment_name(identity) + kUnfinished;
  if (::renameat(fd_, old.name.c_str(), fd_, unfinished.c_str()) != 0) {
    return system_error("a ledger segment cannot be made of an old one");
  }
  const int fd = open_direct(fd_, unfinished, O_RDWR);
  if (fd < 0 || ::ftruncate(fd, static_cast<off_t>(bytes)) != 0) {
    auto error = system_error("a ledger segment cannot be made of an old one");
    if (fd >= 0) ::close(fd);
    ::unlinkat(fd_, unfinished.c_str(), 0);
    return error;
  }
  return finish_segment(fd, unfinished, {.identity = identity, .bytes = bytes, .created = now});
}

// Under its own name only when it is whole: a kill on the way must not look like damage. Takes the
// descriptor.
Result<ledger::SegmentFile> SegmentFolder::finish_segment(int fd, const std::string& unfinished,
                                                          const ledger::SegmentHeader& header) {
  Descriptor file(fd);
  const std::string name = segment_name(header.identity);
  // RENAME_NOREPLACE: never over a segment that is there.
  if (!fill(fd, header) ||
      ::renameat2(fd_, unfinished.c_str(), fd_, name.c_str(), RENAME_NOREPLACE) != 0) {
    auto error = system_error("there is no space for a ledger segment");
    ::unlinkat(fd_, unfinished.c_str(), 0);
    return error;
  }
  LEAT_TRY_VOID(sync());
  return ledger::SegmentFile{
      .fd = file.release(), .identity = header.identity, .bytes = header.bytes};
}

Result<MappedFile> SegmentFolder::create_open_table(const ledger::SegmentIdentity& owner,
                                                    std::size_t slots) {
  const std::size_t size = ledger::OpenTable::bytes_for(slots);
  const std::string name = open_table_name(owner);
  const Descriptor file(::openat(fd_, name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, kMode));
  if (file.get() < 0) return system_error("an open table cannot be made");
  // Space for every page at once: a write to a page without would kill the process later.
  errno = ::posix_fallocate(file.get(), 0, static_cast<off_t>(size));
  if (errno != 0) return system_error("there is no space for an open table");
  void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED) return system_error("an open table cannot be mapped");
  LEAT_TRY_VOID(sync());
  return MappedFile(static_cast<char*>(data), size);
}

Result<std::vector<LedgerFile>> SegmentFolder::list() const {
  LEAT_TRY(const auto names, file_names(fd_));
  std::vector<LedgerFile> files;
  for (const std::string& name : names) {
    if (auto file = parse_name(name)) files.push_back(std::move(*file));
  }
  std::sort(files.begin(), files.end(), [](const LedgerFile& a, const LedgerFile& b) {
    const auto rank = [](const LedgerFile& file) {
      return std::tuple(file.owner.generation, file.owner.shard, file.kind, file.owner.number);
    };
    return rank(a) < rank(b);
  });
  return files;
}

Result<MappedFile> SegmentFolder::map(const LedgerFile& file) const {
  const Descriptor opened(::openat(fd_, file.name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (opened.get() < 0 || ::fstat(opened.get(), &status) != 0) {
    return system_error("a ledger file cannot be opened");
  }
  if (status.st_size == 0) return MappedFile();
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, opened.get(), 0);
  if (data == MAP_FAILED) return system_error("a ledger file cannot be mapped");
  ::madvise(data, size, MADV_SEQUENTIAL);
  return MappedFile(static_cast<char*>(data), size);
}

Result<ReadableFile> SegmentFolder::open_to_read(const LedgerFile& file) const {
  const int fd = ::openat(fd_, file.name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return system_error("a ledger file cannot be opened");
  return ReadableFile(fd);
}

Result<bool> SegmentFolder::has_file(const char* name) const {
  if (::faccessat(fd_, name, F_OK, 0) == 0) return true;
  if (errno == ENOENT) return false;
  return system_error("the ledger's folder cannot be read");
}

Result<std::string> SegmentFolder::read_file(const char* name) const {
  const int fd = ::openat(fd_, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  struct stat status {};
  if (fd < 0) return system_error("a file of the ledger cannot be opened");
  const ReadableFile file(fd);
  if (::fstat(fd, &status) != 0) return system_error("a file of the ledger cannot be read");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  LEAT_TRY(const std::size_t size, file.read(0, bytes));
  bytes.resize(size);
  return bytes;
}

Result<bool> SegmentFolder::write_file(const char* name, std::string_view bytes) const {
  const std::string unfinished = std::string(name) + ".new";
  const Descriptor file(
      ::openat(fd_, unfinished.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, kMode));
  if (file.get() < 0) return system_error("a file of the ledger cannot be made");
  while (!bytes.empty()) {
    const ssize_t count = ::write(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("a file of the ledger cannot be written");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(file.get()) != 0 || ::renameat(fd_, unfinished.c_str(), fd_, name) != 0) {
    return system_error("a file of the ledger cannot be written");
  }
  return sync();
}

Result<bool> SegmentFolder::sweep(std::uint64_t generation) {
  LEAT_TRY(const auto names, file_names(fd_));
  for (const std::string& name : names) {
    std::string_view rest = name;
    std::uint64_t owner = 0;
    if (!name.ends_with(kUnfinished) || !take_hex(rest, "-", owner) || owner == generation) {
      continue;
    }
    if (::unlinkat(fd_, name.c_str(), 0) != 0 && errno != ENOENT) {
      return system_error("an unfinished ledger segment cannot be removed");
    }
  }
  return sync();
}

Result<bool> SegmentFolder::remove(const LedgerFile& file) {
  if (::unlinkat(fd_, file.name.c_str(), 0) != 0 && errno != ENOENT) {
    return system_error("a ledger file cannot be removed");
  }
  return sync();
}

}  // namespace leat::control
