// SPDX-License-Identifier: Apache-2.0
#include "app/top.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "control/top_screen.h"

namespace leat::app {

namespace {

constexpr int kFrameMs = 1'000;
constexpr std::size_t kColumnsElsewhere = 120;

bool is_terminal() {
  return isatty(STDOUT_FILENO) == 1;
}

control::TopLook look_of(const control::Surroundings& surroundings, bool fits_window) {
  control::TopLook look{.columns = kColumnsElsewhere};
  winsize window{};
  if (is_terminal() && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0) {
    look.columns = window.ws_col;
    if (fits_window) look.rows = window.ws_row;
  }
  const auto no_colour = surroundings.variable("NO_COLOR");  // no-color.org: any value but none
  look.with_colour = is_terminal() && (!no_colour || no_colour->empty());
  return look;
}

void put(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

int print_once(const control::TopCommand& command, const control::Surroundings& surroundings) {
  const control::TopFrame got = control::ask_frame(command, surroundings);
  if (!got.fault.why.empty()) {
    std::fprintf(stderr, "leat: %s\n", got.fault.why.c_str());
    return got.fault.status;
  }
  put(control::top_screen(got.frame, look_of(surroundings, false)));
  return 0;
}

// The terminal while top has it: keys come at once and are not shown.
class Terminal {
 public:
  Terminal() {
    has_keys_ = tcgetattr(STDIN_FILENO, &before_) == 0;
    if (has_keys_) {
      termios raw = before_;
      raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
      tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    put("\x1b[?1049h\x1b[?25l");
  }
  ~Terminal() {
    put("\x1b[?25h\x1b[?1049l");
    if (has_keys_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  bool has_keys() const { return has_keys_; }

  // Each line over the one before, and nothing left of what was longer.
  static void show(const std::string& screen) {
    std::string out = "\x1b[H";
    std::size_t begin = 0;
    while (begin < screen.size()) {
      const std::size_t end = screen.find('\n', begin);
      const bool is_last = end + 1 == screen.size();
      out.append(screen, begin, end - begin).append("\x1b[K").append(is_last ? "" : "\r\n");
      begin = end + 1;
    }
    put(out + "\x1b[J");
  }

 private:
  termios before_{};
  bool has_keys_ = false;
};

int follow(const control::TopCommand& command, const control::Surroundings& surroundings) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) sigaddset(&signals, each);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  const Terminal terminal;
  for (;;) {
    const control::TopFrame got = control::ask_frame(command, surroundings);
    const control::TopLook look = look_of(surroundings, true);
    Terminal::show(got.fault.why.empty() ? control::top_screen(got.frame, look)
                                         : got.fault.why + "\n");
    pollfd ways[] = {
        {.fd = signal_fd, .events = POLLIN, .revents = 0},
        {.fd = terminal.has_keys() ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0}};
    poll(ways, std::size(ways), kFrameMs);
    signalfd_siginfo info{};
    if (read(signal_fd, &info, sizeof info) == sizeof info && info.ssi_signo != SIGWINCH) break;
    char key = 0;
    const bool has_key = (ways[1].revents & POLLIN) != 0;
    if ((ways[1].revents & POLLHUP) != 0 || (has_key && read(STDIN_FILENO, &key, 1) == 0)) break;
    if (key == 'q' || key == 'Q') break;
  }
  close(signal_fd);
  return 0;
}

}  // namespace

int top(control::TopCommand command, const control::Surroundings& surroundings) {
  if (const control::AdminFault fault = control::resolve(command.place, surroundings);
      !fault.why.empty()) {
    std::fprintf(stderr, "leat: %s\n", fault.why.c_str());
    return fault.status;
  }
  if (command.once || !is_terminal()) return print_once(command, surroundings);
  return follow(command, surroundings);
}

}  // namespace leat::app
