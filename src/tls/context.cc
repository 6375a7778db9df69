// SPDX-License-Identifier: Apache-2.0
#include "tls/context.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <iterator>

#include "base/check.h"
#include "tls/bio.h"
#include "tls/pem.h"

#ifndef OPENSSL_IS_BORINGSSL
#error "the headers of BoringSSL are needed, not OpenSSL's"
#endif

namespace leat::tls {

namespace {

// The server's preference.
constexpr std::uint8_t kHttp2OrHttp11[] = {2, 'h', '2', 8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
constexpr std::uint8_t kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
constexpr char kTls12Suites[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr int kRsaBitsMin = 2048;

bool is_weak_key(X509* certificate) {
  const KeyPtr key(X509_get_pubkey(certificate));
  return key == nullptr ||
         (EVP_PKEY_id(key.get()) == EVP_PKEY_RSA && EVP_PKEY_bits(key.get()) < kRsaBitsMin);
}

bool is_weak_signature(X509* certificate) {
  const int nid = X509_get_signature_nid(certificate);
  return nid == NID_md5WithRSAEncryption || nid == NID_sha1WithRSAEncryption ||
         nid == NID_sha1WithRSA || nid == NID_ecdsa_with_SHA1;
}

// The library verifies a chain but has no lower bound for its strength: called for each of its
// certificates. A root's own signature proves nothing and is not looked at.
int judge_strength(int accepted, X509_STORE_CTX* store) {
  if (accepted != 1) return 0;
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(store);
  const std::size_t count = chain != nullptr ? sk_X509_num(chain) : 0;
  const bool is_root = count > 0 && sk_X509_value(chain, count - 1) == certificate;
  if (!is_weak_key(certificate) && (is_root || !is_weak_signature(certificate))) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

// What a server may sign its handshake with: the library's own list ends in SHA-1.
constexpr std::uint16_t kHandshakeSignatures[] = {
    SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_RSA_PSS_RSAE_SHA256, SSL_SIGN_RSA_PKCS1_SHA256,
    SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA384, SSL_SIGN_RSA_PKCS1_SHA384,
    SSL_SIGN_RSA_PSS_RSAE_SHA512,    SSL_SIGN_RSA_PKCS1_SHA512};

}  // namespace

Context::Context(Records records)
    : records_(records),
      ctx_(SSL_CTX_new(TLS_method())),
      bio_method_(new_session_bio_method()),
      scratch_(std::make_unique<char[]>(TlsSession::kScratchBytes)) {
  LEAT_CHECK(ctx_ != nullptr);
  SSL_CTX_set_min_proto_version(ctx_, TLS1_2_VERSION);
  SSL_CTX_set_strict_cipher_list(ctx_, kTls12Suites);
  CRYPTO_BUFFER_POOL* pool = CRYPTO_BUFFER_POOL_new();
  SSL_CTX_set0_buffer_pool(ctx_, pool);
  SSL_CTX_set_app_data(ctx_, pool);
}

Context::~Context() {
  auto* pool = static_cast<CRYPTO_BUFFER_POOL*>(SSL_CTX_get_app_data(ctx_));
  SSL_CTX_free(ctx_);
  CRYPTO_BUFFER_POOL_free(pool);
  BIO_meth_free(bio_method_);
}

SSL* Context::new_ssl() {
  SSL* ssl = SSL_new(ctx_);
  BIO* bio = BIO_new(bio_method_);
  LEAT_CHECK(ssl != nullptr && bio != nullptr);
  SSL_set_bio(ssl, bio, bio);
  // Handshake state goes once it is of no more use: 700 bytes a session.
  SSL_set_shed_handshake_config(ssl, 1);
  return ssl;
}

// ---- Server ------------------------------------------------------------------------------------

Result<std::unique_ptr<ServerContext>> ServerContext::create(const std::string& certificate_pem,
                                                             const std::string& key_pem,
                                                             const TicketSeed* tickets,
                                                             Records records, bool speaks_http2) {
  std::unique_ptr<ServerContext> context(new ServerContext(records));
  LEAT_TRY_VOID(context->load(certificate_pem, key_pem));
  context->choose_protocol(speaks_http2);
  if (tickets != nullptr) {
    context->use_tickets(*tickets);
  } else {
    SSL_CTX_set_options(context->ctx_, SSL_OP_NO_TICKET);
  }
  return context;
}

Result<void> ServerContext::load(const std::string& certificate_pem, const std::string& key_pem) {
  BioPtr certificates = text_bio(certificate_pem);
  X509Ptr leaf = read_certificate(certificates.get());
  if (leaf == nullptr) return fail(refused("the certificate file holds no certificate"));
  if (X509_cmp_current_time(X509_get0_notAfter(leaf.get())) <= 0) {
    return fail(refused("the certificate has expired"));
  }
  if (X509_cmp_current_time(X509_get0_notBefore(leaf.get())) >= 0) {
    return fail(refused("the certificate is not valid yet"));
  }
  BioPtr key_text = text_bio(key_pem);
  KeyPtr key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, no_pass_phrase, nullptr));
  if (key == nullptr) return fail(refused("the key file holds no unencrypted private key"));
  if (EVP_PKEY_id(key.get()) == EVP_PKEY_RSA && EVP_PKEY_bits(key.get()) < kRsaBitsMin) {
    return fail(refused("an RSA key below 2048 bits is not accepted"));
  }
  if (SSL_CTX_use_certificate(ctx_, leaf.get()) != 1 ||
      SSL_CTX_use_PrivateKey(ctx_, key.get()) != 1 || SSL_CTX_check_private_key(ctx_) != 1) {
    return fail(refused("the key is not the certificate's"));
  }
  while (X509Ptr next = read_certificate(certificates.get())) {
    SSL_CTX_add0_chain_cert(ctx_, next.release());
  }
  if (!is_end_of_pem()) return fail(refused("the certificate chain is damaged"));
  return {};
}

// The client's word, where it offers both, would be as good: what we prefer is said once, here.
void ServerContext::choose_protocol(bool speaks_http2) {
  SSL_CTX_set_alpn_select_cb(
      ctx_,
      [](SSL*, const std::uint8_t** out, std::uint8_t* out_size, const std::uint8_t* in,
         unsigned in_size, void* speaks_both) {
        const std::span<const std::uint8_t> ours =
            speaks_both != nullptr ? std::span<const std::uint8_t>(kHttp2OrHttp11)
                                   : std::span<const std::uint8_t>(kHttp11);
        std::uint8_t* chosen = nullptr;
        const int match = SSL_select_next_proto(&chosen, out_size, ours.data(),
                                                static_cast<unsigned>(ours.size()), in, in_size);
        *out = chosen;
        // No overlap: go on without, as servers that know no ALPN do.
        return match == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
      },
      speaks_http2 ? this : nullptr);
}

void ServerContext::use_tickets(const TicketSeed& seed) {
  static constexpr SSL_TICKET_AEAD_METHOD kMethod = {
      .max_overhead = [](SSL*) { return TicketKeys::kOverheadBytes; },
      .seal =
          [](SSL* ssl, std::uint8_t* out, std::size_t* out_size, std::size_t out_max,
             const std::uint8_t* in, std::size_t in_size) {
            const auto* self = static_cast<ServerContext*>(SSL_get_app_data(ssl));
            const auto size = self->tickets_->seal({in, in_size}, {out, out_max});
            *out_size = size.value_or(0);
            return size ? 1 : 0;
          },
      .open =
          [](SSL* ssl, std::uint8_t* out, std::size_t* out_size, std::size_t out_max,
             const std::uint8_t* in, std::size_t in_size) {
            const auto* self = static_cast<ServerContext*>(SSL_get_app_data(ssl));
            const auto size = self->tickets_->open({in, in_size}, {out, out_max});
            *out_size = size.value_or(0);
            // A stranger's ticket, or one of yesterday: a full handshake.
            return size ? ssl_ticket_aead_success : ssl_ticket_aead_ignore_ticket;
          }};
  tickets_.emplace(seed);
  SSL_CTX_set_ticket_aead_method(ctx_, &kMethod);
}

std::unique_ptr<TlsSession> ServerContext::new_session(Instant now) {
  if (tickets_) tickets_->advance(now);
  SSL* ssl = new_ssl();
  SSL_set_app_data(ssl, this);
  SSL_set_accept_state(ssl);
  return std::make_unique<TlsSession>(ssl, Source::kDownstream, records_,
                                      std::span<char>(scratch_.get(), TlsSession::kScratchBytes),
                                      weak_from_this().lock());
}

// ---- Client ------------------------------------------------------------------------------------

std::unique_ptr<ClientContext> ClientContext::create(const TrustedRoots& roots, Offer offer,
                                                     Records records) {
  return std::unique_ptr<ClientContext>(new ClientContext(roots, offer, records));
}

ClientContext::ClientContext(const TrustedRoots& roots, Offer offer, Records records)
    : Context(records), scope_{.roots = roots.digest(), .offer = offer} {
  SSL_CTX_set1_verify_cert_store(ctx_, roots.store());
  SSL_CTX_set_verify(ctx_, SSL_VERIFY_PEER, judge_strength);
  SSL_CTX_set_verify_algorithm_prefs(ctx_, kHandshakeSignatures, std::size(kHandshakeSignatures));
  // h2 before http/1.1: either may be cut off.
  static constexpr std::uint8_t kOffers[] = {2,   'h', '2', 8,   'h', 't',
                                             't', 'p', '/', '1', '.', '1'};
  const std::size_t skipped = offer == Offer::kHttp1 ? 3 : 0;
  const std::size_t end = offer == Offer::kHttp2 ? 3 : sizeof kOffers;
  SSL_CTX_set_alpn_protos(ctx_, kOffers + skipped, end - skipped);
  SSL_CTX_set_session_cache_mode(ctx_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(ctx_, on_new_session);
}

Result<std::unique_ptr<TlsSession>> ClientContext::new_session(const std::string& server_name) {
  if (server_name.empty()) return fail(refused("a provider without a name cannot be verified"));
  SSL* ssl = new_ssl();
  auto session = std::make_unique<TlsSession>(
      ssl, Source::kUpstream, records_, std::span<char>(scratch_.get(), TlsSession::kScratchBytes),
      weak_from_this().lock());
  SSL_set_connect_state(ssl);
  X509_VERIFY_PARAM* verify = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(verify, server_name.c_str()) != 1) {
    ERR_clear_error();
    X509_VERIFY_PARAM_set_hostflags(
        verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (X509_VERIFY_PARAM_set1_host(verify, server_name.data(), server_name.size()) != 1 ||
        SSL_set_tlsext_host_name(ssl, server_name.c_str()) != 1) {
      return fail(refused("the provider's name is not one that TLS can carry"));
    }
  }
  // A session is kept under the name that its peer proved to have.
  SSL_set_app_data(ssl, this);
  if (has_tickets(server_name)) {
    tickets_.expect(server_name);
    session->expects_ticket_ = true;
    if (sink_ != nullptr) sink_->on_tickets(*this, server_name);
  }
  return session;
}

bool ClientContext::has_tickets(const std::string& server_name) {
  ASN1_OCTET_STRING* const address = a2i_IPADDRESS(server_name.c_str());
  ASN1_OCTET_STRING_free(address);
  ERR_clear_error();
  return address == nullptr;
}

void ClientContext::show_ticket(SSL* ssl) {
  auto* self = static_cast<ClientContext*>(SSL_get_app_data(ssl));
  const std::string name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  self->tickets_.expect_no_more(name);
  if (SSL_SESSION* resumed = self->tickets_.take(name)) {
    SSL_set_session(ssl, resumed);
    SSL_SESSION_free(resumed);
  }
}

void ClientContext::expect_no_more(SSL* ssl) {
  auto* self = static_cast<ClientContext*>(SSL_get_app_data(ssl));
  self->tickets_.expect_no_more(SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name));
}

int ClientContext::on_new_session(SSL* ssl, SSL_SESSION* session) {
  auto* self = static_cast<ClientContext*>(SSL_get_app_data(ssl));
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (self == nullptr || name == nullptr) return 0;
  self->tickets_.keep(name, session);
  if (self->sink_ != nullptr) self->sink_->on_tickets(*self, name);
  return 1;  // the reference is ours now
}

}  // namespace leat::tls
