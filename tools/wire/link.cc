// SPDX-License-Identifier: Apache-2.0
#include "wire/link.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "wire/loop.h"

namespace leat::tools {

SSL_CTX* server_context(const std::string& certificate_file, const std::string& key_file) {
  SSL_CTX* context = SSL_CTX_new(TLS_method());
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    die("the certificate file cannot be used");
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    die("the key file cannot be used");
  }
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  return context;
}

SSL_CTX* client_context(const std::string& ca_file) {
  SSL_CTX* context = SSL_CTX_new(TLS_method());
  const bool loaded = ca_file.empty()
                          ? SSL_CTX_set_default_verify_paths(context) == 1
                          : SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) == 1;
  if (!loaded) die("the CA file cannot be used");
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  return context;
}

void Link::start_tls(SSL_CTX* context, bool as_server) {
  ssl_ = SSL_new(context);
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (as_server) {
    SSL_set_accept_state(ssl_);
  } else {
    SSL_set_connect_state(ssl_);
  }
}

void Link::open_as_server(int fd, SSL_CTX* context, bool nagle) {
  fd_ = fd;
  established_ = context == nullptr;
  const int no_delay = nagle ? 0 : 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
  if (context != nullptr) start_tls(context, true);
}

void Link::open_as_client(int fd, SSL_CTX* context, const std::string& host) {
  fd_ = fd;
  established_ = context == nullptr;
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (context == nullptr) return;
  start_tls(context, false);
  unsigned char address[sizeof(in6_addr)];
  if (inet_pton(AF_INET, host.c_str(), address) == 1) {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), host.c_str());
  } else {
    SSL_set_tlsext_host_name(ssl_, host.c_str());
    X509_VERIFY_PARAM_set1_host(SSL_get0_param(ssl_), host.data(), host.size());
  }
  shake_hands();  // writes the first flight, which goes out with the first flush
}

Link::Status Link::send_raw(std::string_view bytes) {
  if (!unsent_.empty()) {
    unsent_ += bytes;
    return Status::kOpen;
  }
  const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != ENOTCONN) return Status::kBroken;
  const std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
  unsent_ += bytes.substr(taken);
  return Status::kOpen;
}

Link::Status Link::send_sealed() {
  const std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  BIO* bio = SSL_get_wbio(ssl_);
  if (BIO_mem_contents(bio, &bytes, &size) != 1 || size == 0) return Status::kOpen;
  const Status status = send_raw({reinterpret_cast<const char*>(bytes), size});
  BIO_reset(bio);
  return status;
}

Link::Status Link::shake_hands() {
  const int result = SSL_do_handshake(ssl_);
  const bool failed = result != 1 && SSL_get_error(ssl_, result) != SSL_ERROR_WANT_READ;
  established_ = result == 1;
  if (send_sealed() != Status::kOpen || failed) return Status::kBroken;
  if (!established_ || held_.empty()) return Status::kOpen;
  return send(std::exchange(held_, {}));
}

Link::Received Link::open_records(Scratch& scratch, std::string_view raw, Status status) {
  BIO_write(SSL_get_rbio(ssl_), raw.data(), static_cast<int>(raw.size()));
  if (!established_) {
    if (shake_hands() != Status::kOpen) return {{}, Status::kBroken};
    if (!established_) return {{}, status};
  }
  std::size_t size = 0;
  while (size < scratch.plain.size()) {
    const int got =
        SSL_read(ssl_, scratch.plain.data() + size, static_cast<int>(scratch.plain.size() - size));
    if (got > 0) {
      size += static_cast<std::size_t>(got);
      continue;
    }
    const int error = SSL_get_error(ssl_, got);
    if (error == SSL_ERROR_ZERO_RETURN) {
      status = Status::kEnded;
    } else if (error != SSL_ERROR_WANT_READ) {
      status = Status::kBroken;
    }
    break;
  }
  if (send_sealed() != Status::kOpen) status = Status::kBroken;  // key updates and the like
  return {{scratch.plain.data(), size}, status};
}

Link::Received Link::receive(Scratch& scratch) {
  const ssize_t got = ::recv(fd_, scratch.raw.data(), scratch.raw.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == ENOTCONN)) return {{}, Status::kOpen};
  if (got < 0) return {{}, Status::kBroken};
  const Status status = got == 0 ? Status::kEnded : Status::kOpen;
  const std::string_view raw(scratch.raw.data(), static_cast<std::size_t>(got));
  if (ssl_ == nullptr || raw.empty()) return {raw, status};
  return open_records(scratch, raw, status);
}

Link::Status Link::send(std::string_view bytes) {
  if (ssl_ == nullptr) return send_raw(bytes);
  if (!established_) {
    held_ += bytes;
    return Status::kOpen;
  }
  // A memory BIO takes all; SSL_write cuts into records by itself.
  if (SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) <= 0) return Status::kBroken;
  return send_sealed();
}

Link::Status Link::flush() {
  if (unsent_.empty()) return Status::kOpen;
  const std::string rest = std::exchange(unsent_, {});
  return send_raw(rest);
}

void Link::close(bool reset) {
  if (fd_ < 0) return;
  if (reset) {
    const linger hard{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  }
  ::close(fd_);
  fd_ = -1;
  if (ssl_ != nullptr) SSL_free(ssl_);
  ssl_ = nullptr;
  established_ = false;
  unsent_.clear();
  held_.clear();
}

}  // namespace leat::tools
