// SPDX-License-Identifier: Apache-2.0
// LineSink: lines to a file or to standard error, on a thread of its own. Who has a line hands it
// over and goes on: a pipe that nobody reads or a disk that hangs holds up that thread alone. Then
// lines are kept up to a bound, the rest is dropped and counted, and when it goes on a line says
// how many are missing. A line goes out whole or not at all, as far as the file takes it.
//
// Its functions are for one thread, its owner's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace leat::control {

class LineSink {
 public:
  // What waits for the file at most, a power of two; beyond it lines are dropped.
  static constexpr std::size_t kWaitingBytesMax = std::size_t{4} << 20;
  // Of one push().
  static constexpr std::size_t kPushBytesMax = std::size_t{256} << 10;

  struct Setup {
    std::string path;           // empty: standard error
    std::string name = "leat";  // of its thread
    // The line, with its end, that says that so many are missing.
    std::function<std::string(std::uint64_t lines)> gap;
    std::size_t waiting_bytes_max = kWaitingBytesMax;
  };

  // Null: the file cannot be opened; `fault` says why.
  static std::unique_ptr<LineSink> open(Setup setup, std::string& fault);
  // Waits a moment for what is left. A thread that hangs in a write is left behind: it holds on to
  // what it uses.
  ~LineSink();
  LineSink(const LineSink&) = delete;
  LineSink& operator=(const LineSink&) = delete;

  // `lines`: whole ones, each with its end. What finds no room is dropped together.
  void push(std::string_view lines);
  // What comes from now on goes to a file that is opened anew, if it can be (logrotate).
  void reopen();

  std::uint64_t written() const;
  std::uint64_t dropped() const;

 private:
  struct State;
  explicit LineSink(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace leat::control
