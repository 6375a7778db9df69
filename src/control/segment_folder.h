// SPDX-License-Identifier: Apache-2.0
// SegmentFolder: the folder that the ledger lives in. Makes segments ready to be written (zeros
// written and synced, so that a commit changes no metadata and cannot run out of space), open
// tables, and process generations; lists and maps what is there. Blocks for as long as the disk
// takes - a segment of 64 MiB some 50 ms - so it is used from a thread that may wait, never from a
// shard's.
//
//   GENERATION.generation             a process took this number, 16 hexadecimal digits
//   GENERATION-SHARD-NUMBER.segment   (ledger/segment_format.h)
//   GENERATION-SHARD.open             (ledger/open_table.h)
//   ....making                        a segment until it is ready; a kill may leave one
//   projection, archive               what is known of the segments (ledger_view.h)
//   ....new                           such a file until it is whole; a kill may leave one
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/ledger.h"
#include "ledger/segment_format.h"

namespace leat::control {

// A file in memory, as long as this lives.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(char* data, std::size_t size) : data_(data), size_(size) {}
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const char> bytes() const { return {data_, size_}; }
  // REQUIRES: mapped to be written (create_open_table()).
  std::span<char> writable() { return {data_, size_}; }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

// A file open to be read while another may write to it.
class ReadableFile {
 public:
  explicit ReadableFile(int fd) : fd_(fd) {}
  ReadableFile(ReadableFile&& other) noexcept;
  ReadableFile& operator=(ReadableFile&& other) noexcept;
  ~ReadableFile();

  // As many of the bytes from `offset` on as there are, at the front of `into`.
  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const;
  // When it was last written to.
  Result<WallTime> written() const;

 private:
  int fd_ = -1;
};

struct LedgerFile {
  enum class Kind : std::uint8_t { kSegment, kOpenTable };
  Kind kind = Kind::kSegment;
  std::string name;
  ledger::SegmentIdentity owner;  // as its name says; an open table has no number
};

// Why a file could not be opened: it is there no more. What its process never used it removes when
// it ends, which may be while another reads the folder.
bool is_gone(const Error& error);

// The file of that segment.
LedgerFile segment_file(const ledger::SegmentIdentity& identity);

class SegmentFolder {
 public:
  // All errors are of the system, with its number; kOverloaded where space or descriptors are out.
  static Result<SegmentFolder> open(const std::string& path);
  SegmentFolder(SegmentFolder&& other) noexcept;
  SegmentFolder& operator=(SegmentFolder&& other) noexcept;
  ~SegmentFolder();

  // The folder is this process's until it ends. kOverloaded: another has it.
  Result<bool> lock();
  // A number that no process had before, nor will have. `boot`: which run of the machine it is of.
  Result<std::uint64_t> take_generation(std::string_view boot = {});
  // What was told when that number was taken; empty: not known.
  std::string boot_of(std::uint64_t generation) const;
  // Marks the generation as that of a process that lives, until this object or its process ends;
  // and whether one is marked so. Another process may have the folder by then (Takeover).
  Result<bool> mark_alive(std::uint64_t generation);
  bool is_alive(std::uint64_t generation) const;
  // The folder is free for another process.
  void unlock();
  // Removes what was told of earlier generations, less those that have an open table still: only
  // for these will anybody ask. REQUIRES: lock(), and `generation` is this process's, whose file
  // stays, so that no number is taken twice.
  Result<bool> forget_generations_before(std::uint64_t generation);
  // A segment ready to be written. The descriptor is the caller's.
  Result<ledger::SegmentFile> create_segment(const ledger::SegmentIdentity& identity,
                                             std::uint64_t bytes, WallTime now);
  // The same, out of the file of a segment whose entries are kept elsewhere or no longer: its space
  // need not be found anew. It is gone even if this fails.
  Result<ledger::SegmentFile> recycle_segment(const LedgerFile& old,
                                              const ledger::SegmentIdentity& identity,
                                              std::uint64_t bytes, WallTime now);
  // Memory for an OpenTable, shared with the file.
  Result<MappedFile> create_open_table(const ledger::SegmentIdentity& owner, std::size_t slots);

  // In the order of generation, shard, number. What has another name is passed over.
  Result<std::vector<LedgerFile>> list() const;
  Result<MappedFile> map(const LedgerFile& file) const;
  Result<ReadableFile> open_to_read(const LedgerFile& file) const;

  // Small files of other names beside the segments.
  Result<bool> has_file(const char* name) const;
  Result<std::string> read_file(const char* name) const;
  // The file has these bytes durably, or, should it fail or be cut off, what it had.
  Result<bool> write_file(const char* name, std::string_view bytes) const;
  // One that is gone already is well removed.
  Result<bool> remove(const LedgerFile& file);
  // Removes what processes other than this generation's left half made. One that still runs beside
  // us then fails to make that segment, and makes another.
  Result<bool> sweep(std::uint64_t generation);

 private:
  explicit SegmentFolder(int fd) : fd_(fd) {}
  Result<ledger::SegmentFile> finish_segment(int fd, const std::string& unfinished,
                                             const ledger::SegmentHeader& header);
  Result<bool> sync() const;

  int fd_ = -1;
  int alive_fd_ = -1;
};

}  // namespace leat::control
