// SPDX-License-Identifier: Apache-2.0
// Durable writes to files that somebody else opened. RWF_DSYNC rather than a write and a sync: one
// operation, and where the file was opened with O_DIRECT no page is copied (a commit of 4 KiB costs
// some 20 us of CPU, write and fdatasync 60 to 70).
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "io/uring_io.h"

namespace leat::io {

void UringIo::write_durable(int fd, BlockRef block, std::size_t offset, std::size_t size,
                            std::uint64_t position, FileHandler& handler) {
  LEAT_CHECK(offset + size <= block->capacity() && size <= UINT32_MAX);
  auto free = std::find_if(file_writes_.begin(), file_writes_.end(),
                           [](const FileWrite& write) { return !write.block; });
  if (free == file_writes_.end()) free = file_writes_.emplace(free);
  io_uring_sqe* sqe = ring_.stage();
  io_uring_prep_write(sqe, fd, block->data() + offset, static_cast<unsigned>(size), position);
  sqe->rw_flags = RWF_DSYNC;
  *free = {.handler = &handler,
           .block = std::move(block),
           .size = size,
           .generation = next_generation(free->generation)};
  sqe->user_data = encode(
      {Op::kFile, free->generation, static_cast<std::uint32_t>(free - file_writes_.begin())});
}

void UringIo::forget(FileHandler& handler) {
  for (FileWrite& write : file_writes_) {
    if (write.handler == &handler) write.handler = nullptr;
  }
}

void UringIo::on_file_completion(OpTag tag, int result) {
  FileWrite& write = file_writes_[tag.slot];
  write.block.reset();
  FileHandler* handler = std::exchange(write.handler, nullptr);
  if (handler == nullptr) return;
  // The kernel takes less than it was given at the end of a full disk, and keeps the reason for the
  // next write.
  const bool is_short = result >= 0 && static_cast<std::size_t>(result) < write.size;
  handler->on_written(is_short ? ENOSPC : -std::min(result, 0));
}

}  // namespace leat::io
