// TLS over a non-blocking socket with OpenSSL, without a buffer of our own: records are read from
// and written to the socket directly, and OpenSSL gives its buffers back between records (about
// 14 KiB per idle connection).
#pragma once

#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;
struct bio_method_st;

namespace adit::net {

enum class TlsStatus { done, want_read, want_write, closed, failed };

struct TlsIo {
    TlsStatus status = TlsStatus::done;
    std::size_t bytes = 0;
};

// One side of one connection. Does not own the descriptor. One thread at a time.
class TlsStream {
 public:
    ~TlsStream();
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;

    // Call again after want_read or want_write until done or failed.
    TlsStatus handshake();
    // done: bytes > 0 were moved. closed: the peer ended its side.
    TlsIo read(char* to, std::size_t size);
    TlsIo write(std::string_view bytes);
    // Tells the peer that nothing follows. Best effort.
    void close_notify();
    // Why the last handshake() or read() or write() failed, in OpenSSL's words.
    const std::string& failure() const { return failure_; }

 private:
    friend class TlsContext;
    explicit TlsStream(ssl_st* ssl) : ssl_(ssl) {}
    TlsStatus status_of(int result);

    ssl_st* ssl_;
    std::string failure_;
};

// Certificate, key and parameters: TLS 1.2 or later. Safe from any thread.
class TlsContext {
 public:
    // A server's: PEM files, the certificate's chain after it. The error names the file and what is
    // wrong with it.
    static std::expected<std::shared_ptr<TlsContext>, std::string> server(
        const std::string& certificate_file, const std::string& key_file);
    // A client's: verifies the server's chain and name against the system's roots, or against
    // ca_file; `verify` false accepts any certificate.
    static std::expected<std::shared_ptr<TlsContext>, std::string> client(
        bool verify, const std::string& ca_file = {});
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    // Reads the files of server() again, for connections accepted from now on. After an error the
    // old certificate stays in use.
    std::expected<void, std::string> reload();

    // nullptr when OpenSSL has no memory. host: the name a client verifies and sends (SNI).
    std::unique_ptr<TlsStream> accept(int fd) const;
    std::unique_ptr<TlsStream> connect(int fd, const std::string& host) const;

 private:
    TlsContext() = default;
    std::shared_ptr<ssl_ctx_st> current() const;
    ssl_st* make(int fd) const;

    std::string certificate_file_;
    std::string key_file_;
    bool verify_ = false;
    std::shared_ptr<bio_method_st> method_;
    mutable std::mutex mutex_;  // guards context_
    std::shared_ptr<ssl_ctx_st> context_;
};

}  // namespace adit::net
