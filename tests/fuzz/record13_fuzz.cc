// SPDX-License-Identifier: Apache-2.0
// A peer that has finished its handshake and sends what the input says: records under its keys with
// any content, changes of keys, damaged records, bare bytes. The same bytes go to our records and
// to the library's object, which have the same secrets. However they are cut ours ends in the same
// state; it never passes on a byte that the library does not; what is sound it passes on whole; and
// what it writes then is read by the library's client.
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/rng.h"
#include "support/test_certs.h"
#include "support/tls_wire.h"
#include "tls/pem.h"
#include "tls/record13.h"

namespace {

using namespace leat;
using namespace leat::tls;

using test::Wire;
struct Plain final : PlainSink {
  std::string bytes;
  void on_plain(std::span<char> more) override {
    LEAT_CHECK(!more.empty());
    bytes.append(more.data(), more.size());
    // It is the reader's to write to.
    std::fill(more.begin(), more.end(), '#');
  }
};

// ---- The library's two ends --------------------------------------------------------------------

struct Library {
  Library() : server_context(SSL_CTX_new(TLS_method())), client_context(SSL_CTX_new(TLS_method())) {
    const test::Cert cert = test::make_authority();
    const BioPtr certificate = text_bio(cert.certificate_pem);
    const X509Ptr leaf = read_certificate(certificate.get());
    const BioPtr key_text = text_bio(cert.key_pem);
    const KeyPtr key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_pass_phrase, nullptr));
    LEAT_CHECK(SSL_CTX_use_certificate(server_context, leaf.get()) == 1 &&
               SSL_CTX_use_PrivateKey(server_context, key.get()) == 1);
    server = open(server_context);
    client = open(client_context);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    for (int flight = 0; flight < 2; ++flight) {
      SSL_do_handshake(client);
      carry(client, server);
      SSL_do_handshake(server);
      carry(server, client);
    }
    LEAT_CHECK(SSL_in_init(server) == 0 && SSL_in_init(client) == 0);
    // The tickets.
    LEAT_CHECK(SSL_write(server, "x", 1) == 1);
    carry(server, client);
    LEAT_CHECK(read(client) == "x");
  }
  ~Library() {
    SSL_free(server);
    SSL_free(client);
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    ERR_clear_error();
  }
  static SSL* open(SSL_CTX* context) {
    SSL* ssl = SSL_new(context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
    return ssl;
  }
  static void give(SSL* to, std::string_view bytes) {
    BIO_write(SSL_get_rbio(to), bytes.data(), static_cast<int>(bytes.size()));
  }
  static void carry(SSL* from, SSL* to) {
    std::string bytes(BIO_pending(SSL_get_wbio(from)), '\0');
    BIO_read(SSL_get_wbio(from), bytes.data(), static_cast<int>(bytes.size()));
    give(to, bytes);
  }
  static std::string read(SSL* ssl) {
    std::string all;
    char buffer[4096];
    for (int size; (size = SSL_read(ssl, buffer, sizeof buffer)) > 0;) {
      all.append(buffer, static_cast<std::size_t>(size));
    }
    return all;
  }

  SSL_CTX* server_context;
  SSL_CTX* client_context;
  SSL* server;
  SSL* client;
};

struct States {
  explicit States(const SSL* ssl) {
    bssl::Span<const std::uint8_t> from_peer;
    bssl::Span<const std::uint8_t> to_peer;
    LEAT_CHECK(bssl::SSL_get_traffic_secrets(ssl, &from_peer, &to_peer));
    const Suite suite{SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl))};
    read = {.suite = suite, .sequence = SSL_get_read_sequence(ssl)};
    write = {.suite = suite, .sequence = SSL_get_write_sequence(ssl)};
    std::copy(from_peer.begin(), from_peer.end(), read.secret.begin());
    std::copy(to_peer.begin(), to_peer.end(), write.secret.begin());
  }
  TrafficState read;
  TrafficState write;
};

// ---- What the input makes the peer send --------------------------------------------------------

class Script {
 public:
  Script(const TrafficState& keys, std::string_view input) : keys_(keys), input_(input) {
    while (!input_.empty()) step();
  }
  const std::string& bytes() const { return bytes_; }
  // Nothing in it that a peer may not send.
  bool is_sound() const { return sound_ && empty_ <= 32 && updates_ <= 32; }
  const std::string& plain() const { return plain_; }

 private:
  std::uint8_t next() {
    if (input_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(input_.front());
    input_.remove_prefix(1);
    return byte;
  }
  std::string body() {
    const std::string taken(input_.substr(0, next()));
    input_.remove_prefix(std::min(taken.size(), input_.size()));
    return taken;
  }
  // The last byte of what is sealed is what the keys take for the type.
  void seal(std::string_view content, std::uint8_t type, std::size_t padding) {
    std::string inner(content);
    inner += static_cast<char>(type);
    inner.append(padding, '\0');
    const char last = inner.back();
    inner.pop_back();
    const std::size_t at = bytes_.size();
    bytes_.resize(at + inner.size() + kRecordExtraBytes);
    keys_.seal(static_cast<ContentType>(last), inner, bytes_.data() + at);
  }
  void data(const std::string& content, std::size_t padding) {
    seal(content, 23, padding);
    plain_ += content;
    empty_ += content.empty();
    sound_ = sound_ && content.size() + padding <= Record13::kPlainBytesMax;
  }
  void step() {
    switch (next() % 8) {
      case 0:
      case 1:
        return data(body(), 0);
      case 2:
        return data(body(), std::size_t{next()} * 65);
      case 3: {
        const std::uint8_t type = next();
        seal(body(), type, next() % 4);
        sound_ = false;
        return;
      }
      case 4: {
        const std::string message{24, 0, 0, 1, static_cast<char>(next() & 1)};
        seal(message, 22, 0);
        keys_.update();
        ++updates_;
        return;
      }
      case 5:
        bytes_ += body();
        sound_ = false;
        return;
      case 6: {
        const std::size_t at = bytes_.size();
        data(body(), 0);
        bytes_[at + next() % (bytes_.size() - at)] ^= static_cast<char>(next() | 1);
        sound_ = false;
        return;
      }
      default:
        return data(std::string(std::size_t{next()} * 65, 'x'), 0);
    }
  }

  TrafficKeys keys_;
  std::string_view input_;
  std::string bytes_;
  std::string plain_;
  std::size_t empty_ = 0;
  std::size_t updates_ = 0;
  bool sound_ = true;
};

// ---- Ours --------------------------------------------------------------------------------------

struct Outcome {
  SessionState state;
  std::string fault;
  std::string plain;
  std::string answer;
  bool operator==(const Outcome&) const = default;
};

template <class NextSize>
Outcome feed(const States& states, std::string_view bytes, NextSize next_size) {
  Record13 records(Record13::Role::kServer, states.read, states.write);
  Plain plain;
  Wire out;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min<std::size_t>(next_size(), bytes.size() - at);
    // A slice of exact size on the heap lets the sanitizers see a read past the end.
    const std::unique_ptr<char[]> slice(new char[size]);
    bytes.copy(slice.get(), size, at);
    records.feed({slice.get(), size}, plain, out);
    at += size;
  }
  const std::string_view last[] = {"do", "ne"};
  if (records.state() == SessionState::kOpen) records.write(last, out);
  LEAT_CHECK((records.state() == SessionState::kFailed) == (records.fault()[0] != '\0'));
  return {records.state(), records.fault(), plain.bytes, out.bytes};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  Library library;
  const States states(library.server);
  const Script script(states.read, {reinterpret_cast<const char*>(data) + 1, size - 1});

  const Outcome whole = feed(states, script.bytes(), [] { return std::size_t{1} << 30; });
  Rng rng(data[0]);
  const std::uint64_t piece_max = data[0] % 2 == 0 ? 30 : 3000;
  const auto in_pieces = [&] { return static_cast<std::size_t>(1 + rng.below(piece_max)); };
  LEAT_CHECK(feed(states, script.bytes(), in_pieces) == whole);

  Library::give(library.server, script.bytes());
  LEAT_CHECK(Library::read(library.server).starts_with(whole.plain));
  if (script.is_sound()) {
    LEAT_CHECK(whole.state == SessionState::kOpen);
    LEAT_CHECK(whole.plain == script.plain());
  }
  Library::give(library.client, whole.answer);
  const std::string heard = Library::read(library.client);
  LEAT_CHECK(heard == (whole.state == SessionState::kOpen ? "done" : ""));
  return 0;
}
