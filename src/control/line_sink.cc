// SPDX-License-Identifier: Apache-2.0
#include "control/line_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <semaphore>
#include <span>
#include <thread>
#include <utility>

#include "gateway/event_ring.h"

namespace leat::control {

namespace {

// How long the end of the process waits for what is left.
constexpr std::chrono::milliseconds kGrace(500);
// A pipe that says that it has room takes so much without a wait (PIPE_BUF); a file takes all.
constexpr std::size_t kPieceBytes = 4'096;
constexpr int kPollMs = 100;

int open_file(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
}

std::uint64_t lines_in(std::string_view text) {
  return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

bool is_file(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

}  // namespace

struct LineSink::State {
  explicit State(Setup with) : setup(std::move(with)), waiting(setup.waiting_bytes_max) {}
  ~State() {
    if (fd != STDERR_FILENO) close(fd);
  }

  const Setup setup;
  gateway::EventRing waiting;
  std::counting_semaphore<> work{0};
  std::binary_semaphore ended{0};
  std::atomic<bool> wants_reopen{false};
  std::atomic<bool> is_ending{false};
  std::atomic<std::uint64_t> written{0};  // lines
  std::atomic<std::uint64_t> dropped{0};  // lines that found no room
  std::atomic<std::uint64_t> failed{0};   // ... that the file did not take
  // The thread's.
  int fd = STDERR_FILENO;
  std::uint64_t missing_told = 0;
  bool is_mid_line = false;  // the file broke off within one

  void run();
  void write_out(std::string_view text);
  void tell_missing();
  std::size_t write_piece(std::string_view text);
  bool end_line();
  void open_anew();
};

std::unique_ptr<LineSink> LineSink::open(Setup setup, std::string& fault) {
  auto state = std::make_shared<State>(std::move(setup));
  if (!state->setup.path.empty()) {
    const int fd = open_file(state->setup.path);
    if (fd < 0) {
      fault = fmt::format("cannot open {}: {}", state->setup.path, std::strerror(errno));
      return nullptr;
    }
    state->fd = fd;
  }
  std::thread([state] { state->run(); }).detach();
  return std::unique_ptr<LineSink>(new LineSink(std::move(state)));
}

LineSink::~LineSink() {
  state_->is_ending.store(true, std::memory_order_release);
  state_->work.release();
  (void)state_->ended.try_acquire_for(kGrace);
}

void LineSink::push(std::string_view lines) {
  const std::span<char> room =
      lines.size() <= kPushBytesMax ? state_->waiting.reserve(lines.size()) : std::span<char>();
  if (room.empty()) {
    state_->dropped.fetch_add(lines_in(lines), std::memory_order_relaxed);
    return;
  }
  lines.copy(room.data(), room.size());
  state_->waiting.commit(lines.size());
  state_->work.release();
}

void LineSink::reopen() {
  if (state_->setup.path.empty()) return;
  state_->wants_reopen.store(true, std::memory_order_release);
  state_->work.release();
}

std::uint64_t LineSink::written() const {
  return state_->written.load(std::memory_order_relaxed);
}

std::uint64_t LineSink::dropped() const {
  return state_->dropped.load(std::memory_order_relaxed) +
         state_->failed.load(std::memory_order_relaxed);
}

void LineSink::State::run() {
  pthread_setname_np(pthread_self(), setup.name.substr(0, 15).c_str());
  bool is_last = false;
  while (!is_last) {
    work.acquire();
    is_last = is_ending.load(std::memory_order_acquire);
    // All that waits comes before the gap that was made behind it.
    for (bool is_any = true; is_any;) {
      is_any = false;
      waiting.drain([&](std::span<const char> lines) {
        is_any = true;
        write_out({lines.data(), lines.size()});
      });
    }
    tell_missing();
    if (wants_reopen.exchange(false, std::memory_order_acq_rel)) open_anew();
  }
  ended.release();
}

// Of what found no room while the thread was busy with what came before it, or was not taken.
void LineSink::State::tell_missing() {
  const std::uint64_t missing =
      dropped.load(std::memory_order_relaxed) + failed.load(std::memory_order_relaxed);
  if (missing == missing_told) return;
  const std::string gap = setup.gap(missing - missing_told);
  if (!end_line() || write_piece(gap) != gap.size()) return;  // once more, the next time
  missing_told = missing;
}

void LineSink::State::open_anew() {
  const int opened = open_file(setup.path);
  if (opened < 0) return;  // what there is goes on
  close(std::exchange(fd, opened));
  is_mid_line = false;
}

// What could be written of a piece; 0: the file does not take it.
std::size_t LineSink::State::write_piece(std::string_view text) {
  while (true) {
    pollfd waits{.fd = fd, .events = POLLOUT, .revents = 0};
    if (poll(&waits, 1, kPollMs) == 0) {
      if (!is_ending.load(std::memory_order_acquire)) continue;
      return 0;
    }
    const ssize_t wrote = write(fd, text.data(), text.size());
    if (wrote > 0) return static_cast<std::size_t>(wrote);
    if (errno != EINTR && errno != EAGAIN) return 0;
  }
}

// A line that broke off is given its end. False: the file does not take it.
bool LineSink::State::end_line() {
  if (is_mid_line) is_mid_line = write_piece("\n") != 1;
  return !is_mid_line;
}

void LineSink::State::write_out(std::string_view text) {
  const std::uint64_t lines = lines_in(text);
  const std::size_t piece = is_file(fd) ? text.size() : kPieceBytes;
  std::size_t done = 0;
  while (end_line() && done < text.size()) {
    const std::size_t wrote = write_piece(text.substr(done, piece));
    if (wrote == 0) break;
    done += wrote;
  }
  if (done > 0) is_mid_line = text[done - 1] != '\n';
  const std::uint64_t lost = lines_in(text.substr(done));
  written.fetch_add(lines - lost, std::memory_order_relaxed);
  failed.fetch_add(lost, std::memory_order_relaxed);
}

}  // namespace leat::control
