// SPDX-License-Identifier: Apache-2.0
// ContentFiles: the files of a content log: lines are appended to the newest, a new one is begun
// when that is large enough and on each day (UTC), and old ones are removed. For the owner's eyes
// alone. Blocks for as long as the disk takes, so it is used on a thread of its own.
//
//   content-20261122-091548-4711-1.jsonl   begun then, by the process 4711, its first
//
// Only what is named so is ever removed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/instant.h"

namespace leat::control {

// Makes the folder if it is not there (its parent has to be), for its owner alone. What is wrong
// with it, or empty: it is no folder, another's, or open to others.
std::string prepare_content_folder(const std::string& folder);

class ContentFiles {
 public:
  struct Setup {
    std::string folder;
    std::uint64_t file_bytes_max = 0;
    std::uint64_t total_bytes_max = 0;
    std::uint32_t retention_days = 0;  // 0: for ever
    pid_t process = 0;                 // told from others that write there (a takeover)
  };

  explicit ContentFiles(Setup setup) : setup_(std::move(setup)) {}
  ~ContentFiles() { close_file(); }
  ContentFiles(const ContentFiles&) = delete;
  ContentFiles& operator=(const ContentFiles&) = delete;

  // Appends a whole line, with its end. 0, or the errno of why nothing of it was written.
  int append(std::string_view line, WallTime now);
  // As in Setup. The folder stays.
  void set_limits(const Setup& limits);
  // Removes files whose last line is older than is kept, and the oldest while all together are too
  // large; closes one that is of another day. To be called now and then.
  void tidy(WallTime now);

 private:
  int open_file(WallTime now);
  void close_file();
  bool is_removed() const;

  Setup setup_;
  int fd_ = -1;
  std::string name_;         // of the file that is open
  std::int64_t day_ = 0;     // on which it was begun, since 1970
  std::uint64_t bytes_ = 0;  // in it
  std::uint32_t begun_ = 0;  // files, by this process
};

}  // namespace leat::control
