// SPDX-License-Identifier: Apache-2.0
// Disk: the files of a simulated world, which outlive the shards that write them. A sector of 512
// bytes is written whole or not at all; until a write has ended, and after one that failed, each of
// its sectors is there or not as chance has it, and writes under way end in any order. Which faults
// strike is the world's plan: kDiskError, kDiskFull, kDiskSlow. Writing to a file again after a
// write to it failed is a violation: a kernel may then report success for what it has dropped.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"

namespace leat::sim {

class World;

class Disk {
 public:
  // One who waits for a write.
  class User {
   public:
    virtual void on_disk(std::uint64_t write, int error) = 0;

   protected:
    ~User() = default;
  };

  explicit Disk(World& world) : world_(world) {}

  // A file of zeros; its descriptor.
  int create(std::size_t size);
  void remove(int fd) { files_.erase(fd); }
  bool has(int fd) const { return files_.contains(fd); }
  // What is in the file now: to be read, and by tests to be spoiled.
  std::string& bytes(int fd) { return files_.at(fd); }

  // Writes a copy of `bytes`; on_disk() with the number that it returns when that is durable, or
  // has failed. A write beyond the end of the file fails.
  std::uint64_t write(int fd, std::uint64_t position, std::string_view bytes, User& user);
  // The user hears of none of its writes any more; they go on.
  void forget(User& user);
  // Power is gone, or the process: of each write under way some sectors are there. Nobody hears.
  void crash();

  // From now on, whatever the plan says; 0: writes succeed again.
  int fail_all = 0;
  std::uint64_t writes_ended() const { return writes_ended_; }

 private:
  struct Write {
    int fd;
    std::uint64_t position;
    std::string bytes;
    User* user;  // null: nobody
    int error;
  };
  void on_end(std::uint64_t number);
  void apply(const Write& write, double share);

  World& world_;
  std::map<int, std::string> files_;
  std::set<int> failed_;  // files to which a write was reported failed
  std::map<std::uint64_t, Write> under_way_;
  std::uint64_t next_write_ = 1;
  std::uint64_t writes_ended_ = 0;
  int next_fd_ = 1'000'000;
};

}  // namespace leat::sim
