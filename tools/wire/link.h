// SPDX-License-Identifier: Apache-2.0
// Link: one non-blocking connection of a load tool, plain or TLS, bytes in and bytes out. TLS runs
// on memory BIOs, so that one readiness costs one recv, as it does in the programs compared.
#pragma once

#include <openssl/base.h>

#include <array>
#include <string>
#include <string_view>

namespace leat::tools {

// Receive buffers, shared by all links of a thread: what a link received is valid until the next
// link receives.
struct Scratch {
  std::array<char, 64 * 1024> raw;
  std::array<char, 96 * 1024> plain;  // a record may have begun in an earlier read
};

// Contexts live as long as the process. They end it with a message if the files are not usable.
SSL_CTX* server_context(const std::string& certificate_file, const std::string& key_file);
// ca_file "": the system's store.
SSL_CTX* client_context(const std::string& ca_file);

class Link {
 public:
  enum class Status { kOpen, kEnded, kBroken };
  struct Received {
    std::string_view bytes;
    Status status;  // the bytes count, whatever it says
  };

  Link() = default;
  ~Link() { close(); }
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Takes over a connected or connecting socket. `context` null: plain. The link must be closed.
  // `nagle`: no small segment leaves while one is not acknowledged (RFC 896).
  void open_as_server(int fd, SSL_CTX* context, bool nagle = false);
  // The peer's certificate must be for `host`, a name or an address.
  void open_as_client(int fd, SSL_CTX* context, const std::string& host);

  // One recv, and what TLS makes of it. Advances the handshake.
  Received receive(Scratch& scratch);

  // Sends; keeps what the socket does not take, and whatever comes before the handshake is done.
  Status send(std::string_view bytes);
  // Sends what was kept.
  Status flush();

  // Hangs up. With `reset`, by RST, as a killed client does.
  void close(bool reset = false);

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  bool is_established() const { return established_; }
  bool has_unsent() const { return !unsent_.empty(); }
  std::size_t unsent_size() const { return unsent_.size(); }

 private:
  void start_tls(SSL_CTX* context, bool as_server);
  Status send_raw(std::string_view bytes);
  Status send_sealed();
  Status shake_hands();
  Received open_records(Scratch& scratch, std::string_view raw, Status status);

  int fd_ = -1;
  SSL* ssl_ = nullptr;
  bool established_ = false;
  std::string unsent_;  // on the wire's side of TLS
  std::string held_;    // plain bytes, until the handshake is done
};

}  // namespace leat::tools
