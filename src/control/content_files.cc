// SPDX-License-Identifier: Apache-2.0
#include "control/content_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

namespace leat::control {
namespace {

constexpr std::string_view kPrefix = "content-";
constexpr std::string_view kSuffix = ".jsonl";
constexpr std::int64_t kDaySeconds = 86'400;

struct LogFile {
  std::string name;
  std::int64_t written_at = 0;  // unix seconds
  std::uint64_t bytes = 0;
};

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

// By when they were begun.
std::vector<LogFile> files_in(DIR* folder) {
  std::vector<LogFile> files;
  while (const dirent* entry = readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    struct stat status {};
    if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(status.st_mode)) continue;
    files.push_back(
        {std::string(name), status.st_mtim.tv_sec, static_cast<std::uint64_t>(status.st_size)});
  }
  std::ranges::sort(files, {}, &LogFile::name);
  return files;
}

int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return wrote < 0 ? errno : EIO;
    text.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return 0;
}

}  // namespace

std::string prepare_content_folder(const std::string& folder) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return fmt::format("cannot make {}: {}", folder, std::strerror(errno));
  }
  struct stat status {};
  if (stat(folder.c_str(), &status) != 0) {
    return fmt::format("cannot look at {}: {}", folder, std::strerror(errno));
  }
  if (!S_ISDIR(status.st_mode)) return fmt::format("{} is no folder", folder);
  if (status.st_uid != geteuid()) {
    return fmt::format("{} belongs to another user; what clients say would be theirs to read",
                       folder);
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return fmt::format("{} is open to others; `chmod 700` it", folder);
  }
  return {};
}

void ContentFiles::set_limits(const Setup& limits) {
  setup_.file_bytes_max = limits.file_bytes_max;
  setup_.total_bytes_max = limits.total_bytes_max;
  setup_.retention_days = limits.retention_days;
}

int ContentFiles::append(std::string_view line, WallTime now) {
  const bool is_other_day = now.unix_seconds() / kDaySeconds != day_;
  const bool is_full = bytes_ > 0 && bytes_ + line.size() > setup_.file_bytes_max;
  if (fd_ >= 0 && (is_other_day || is_full || is_removed())) close_file();
  if (fd_ < 0) {
    if (const int fault = open_file(now); fault != 0) return fault;
    tidy(now);
  }
  const int fault = write_all(fd_, line);
  if (fault == 0) {
    bytes_ += line.size();
    return 0;
  }
  // What came of the line goes, or else nothing more is written behind it.
  if (ftruncate(fd_, static_cast<off_t>(bytes_)) != 0) close_file();
  return fault;
}

int ContentFiles::open_file(WallTime now) {
  const std::time_t seconds = now.unix_seconds();
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  name_ = fmt::format("{}{:04}{:02}{:02}-{:02}{:02}{:02}-{}-{}{}", kPrefix, utc.tm_year + 1900,
                      utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                      setup_.process, ++begun_, kSuffix);
  fd_ = open((setup_.folder + "/" + name_).c_str(),
             O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd_ < 0) return errno;
  day_ = now.unix_seconds() / kDaySeconds;
  bytes_ = 0;
  return 0;
}

void ContentFiles::close_file() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
  name_.clear();
  bytes_ = 0;
}

// By somebody else: what is written to it now nobody will see.
bool ContentFiles::is_removed() const {
  struct stat status {};
  return fstat(fd_, &status) == 0 && status.st_nlink == 0;
}

void ContentFiles::tidy(WallTime now) {
  if (fd_ >= 0 && now.unix_seconds() / kDaySeconds != day_) close_file();
  const std::unique_ptr<DIR, CloseFolder> folder(opendir(setup_.folder.c_str()));
  if (folder == nullptr) return;
  const std::vector<LogFile> files = files_in(folder.get());
  std::uint64_t total = 0;
  for (const LogFile& file : files) total += file.bytes;
  const std::int64_t oldest = setup_.retention_days == 0
                                  ? INT64_MIN
                                  : now.unix_seconds() - setup_.retention_days * kDaySeconds;
  for (const LogFile& file : files) {
    const bool is_too_much = total > setup_.total_bytes_max;
    if (file.name == name_ || (file.written_at >= oldest && !is_too_much)) continue;
    if (unlinkat(dirfd(folder.get()), file.name.c_str(), 0) == 0) total -= file.bytes;
  }
}

}  // namespace leat::control
