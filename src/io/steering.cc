// SPDX-License-Identifier: Apache-2.0
#include "io/steering.h"

#include <sys/socket.h>

#include <cerrno>

namespace leat::io {

namespace {

// No listener has this place: the kernel then falls back to its hash.
constexpr std::uint32_t kNobody = UINT32_MAX;

}  // namespace

std::vector<sock_filter> steering_program(std::span<const std::uint32_t> cores) {
  constexpr auto kThisCore = static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_CPU);
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kThisCore)};
  for (std::uint32_t i = 0; i < cores.size(); ++i) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, cores[i], 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, i));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, kNobody));
  return program;
}

int steer(int listener, std::span<const std::uint32_t> cores) {
  if (cores.empty()) {
    const int ignored = 0;
    const int rc =
        setsockopt(listener, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &ignored, sizeof ignored);
    // There was none, or no group that could have one.
    return rc == 0 || errno == ENOENT || errno == EINVAL ? 0 : errno;
  }
  std::vector<sock_filter> code = steering_program(cores);
  const sock_fprog program{.len = static_cast<unsigned short>(code.size()), .filter = code.data()};
  const int rc =
      setsockopt(listener, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program);
  return rc == 0 ? 0 : errno;
}

}  // namespace leat::io
