// SPDX-License-Identifier: Apache-2.0
// ServiceManager: tells whoever started Leat how it does, by systemd's protocol (sd_notify(3)): one
// datagram to the socket named in NOTIFY_SOCKET. Without that variable nothing is said. A manager
// that does not listen is not waited for: what it misses is lost. Used by one thread.
#pragma once

#include <string>
#include <string_view>

#include "base/instant.h"
#include "control/surroundings.h"

namespace leat::control {

class ServiceManager {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; `pid`: this process.
  ServiceManager(const Surroundings& surroundings, int pid);
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  bool is_there() const { return fd_ >= 0; }
  // Lines of NAME=VALUE: "READY=1", "STOPPING=1", "WATCHDOG=1", "STATUS=...".
  void tell(std::string_view lines) const;
  // How often WATCHDOG=1 is to be told: half of what the manager waits. Zero: it does not ask.
  Duration watchdog_interval() const { return watchdog_interval_; }

 private:
  int fd_ = -1;
  std::string path_;  // as the kernel has it: an abstract name begins with a zero byte
  Duration watchdog_interval_{};
};

}  // namespace leat::control
