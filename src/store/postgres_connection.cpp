#include "store/postgres_connection.h"

#include <libpq-fe.h>

namespace adit::store {
namespace {

using base::U128;

// Types of pg_type.dat.
constexpr Oid kInt8 = 20, kInt4 = 23, kBytea = 17, kNumeric = 1700;
constexpr int kTextFormat = 0, kBinaryFormat = 1;
// Sent before the answers are read. Their answers fit into the socket's buffers.
constexpr std::size_t kMostSent = 512;

std::string one_line(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.remove_suffix(1);
    std::string line(text);
    std::ranges::replace(line, '\n', ' ');
    return line;
}

// A NUMERIC on the wire: four 16-bit numbers (digits, weight of the first, sign, decimals), then
// digits to the base of 10,000.
U128 numeric_of(base::ByteSpan wire) {
    const auto word = [&](std::size_t i) {
        if (2 * i + 2 > wire.size()) throw SqlError("a stored number is cut");
        return static_cast<std::int32_t>(wire[2 * i] << 8 | wire[2 * i + 1]);
    };
    const auto digits = word(0);
    const auto weight = static_cast<std::int16_t>(word(1));
    const bool is_whole = word(2) == 0 && word(3) == 0 && digits <= weight + 1;
    if (digits == 0) return 0;
    if (!is_whole) throw SqlError("a stored number is no unsigned integer");
    U128 value = 0;
    for (std::int32_t i = 0; i <= weight; ++i) {
        const auto digit =
            i < digits ? static_cast<unsigned>(word(4 + static_cast<unsigned>(i))) : 0;
        if (value > (~U128{0} - digit) / 10'000) {
            throw SqlError("a sum of work does not fit into 128 bits");
        }
        value = value * 10'000 + digit;
    }
    return value;
}

std::int64_t signed_numeric_of(base::ByteSpan wire) {
    // The sign is the third word; the rest reads like a positive number's.
    base::Bytes positive(wire.begin(), wire.end());
    if (positive.size() < 8) throw SqlError("a stored number is cut");
    const bool is_negative = positive[4] == 0x40;
    if (is_negative) positive[4] = 0;
    const auto value = numeric_of(positive);
    if (value > static_cast<U128>(std::numeric_limits<std::int64_t>::max())) {
        throw SqlError("a stored number is out of its range");
    }
    return is_negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
}

struct FreeOptions {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

}  // namespace

std::string postgres_name(const std::string& url) {
    const std::unique_ptr<PQconninfoOption, FreeOptions> options(
        PQconninfoParse(url.c_str(), nullptr));
    if (!options) return "postgresql://...";
    const auto value = [&](std::string_view keyword) -> std::string {
        for (auto* option = options.get(); option->keyword != nullptr; ++option) {
            if (keyword == option->keyword && option->val != nullptr) return option->val;
        }
        return {};
    };
    auto name = std::string("postgresql://");
    if (const auto user = value("user"); !user.empty()) name += user + "@";
    name += value("host").empty() ? value("hostaddr") : value("host");
    if (const auto port = value("port"); !port.empty()) name += ":" + port;
    return name + "/" + value("dbname");
}

// Parameters are kept until the statement is sent.
class PostgresConnection::Statement final : public SqlDriverStatement {
 public:
    Statement(PostgresConnection& owner, std::string sql)
        : owner_(owner), sql_(std::move(sql)), name_(fmt::format("s{}", ++owner.next_name_)) {}

    void bind(std::int64_t value) override {
        std::array<std::uint8_t, 8> bytes;
        base::store_be64(bytes.data(), static_cast<std::uint64_t>(value));
        add(kInt8, kBinaryFormat, base::as_text(bytes));
    }
    void bind(std::string_view text) override { add(kBytea, kBinaryFormat, text); }
    void bind(base::ByteSpan blob) override { add(kBytea, kBinaryFormat, base::as_text(blob)); }
    void bind(U128 value) override { add(kNumeric, kTextFormat, to_decimal(value)); }

    bool step() override {
        if (!rows_) {
            send();
            rows_ = owner_.finish();
            row_ = -1;
        }
        return ++row_ < PQntuples(rows_.get());
    }
    void run() override {
        send();
        reset();
        if (owner_.sent_.size() >= kMostSent) owner_.finish();
    }
    void reset() override {
        rows_.reset();
        bound_ = 0;
    }

    std::int64_t integer(int column) const override {
        const auto bytes = blob(column);
        switch (PQftype(rows_.get(), column)) {
            case kInt8:
                return static_cast<std::int64_t>(base::load_be64(bytes.data()));
            case kInt4:
                return static_cast<std::int32_t>(base::load_be32(bytes.data()));
            case kNumeric:  // the sum of integers
                return signed_numeric_of(bytes);
            default:
                throw SqlError("a stored number is of another type");
        }
    }
    base::ByteSpan blob(int column) const override {
        const auto* at = PQgetvalue(rows_.get(), row_, column);
        return base::as_bytes(
            {at, static_cast<std::size_t>(PQgetlength(rows_.get(), row_, column))});
    }
    U128 wide(int column) const override { return numeric_of(blob(column)); }

    void set_prepared() { prepared_ = true; }

 private:
    void add(Oid type, int format, std::string_view value) {
        if (values_.size() == bound_) {
            values_.emplace_back();
            types_.push_back(type);
            formats_.push_back(format);
        }
        values_[bound_].assign(value);
        types_[bound_] = type;
        formats_[bound_] = format;
        ++bound_;
    }
    // The types of the parameters are those of the first use.
    void send() {
        const auto count = static_cast<int>(bound_);
        if (!prepared_ && !being_prepared_) {
            if (PQsendPrepare(owner_.connection_, name_.c_str(), sql_.c_str(), count,
                              types_.data()) != 1) {
                owner_.lose();
            }
            owner_.sent({this, false});
            being_prepared_ = true;
        }
        pointers_.clear();
        lengths_.clear();
        for (std::size_t i = 0; i < bound_; ++i) {
            pointers_.push_back(values_[i].data());
            lengths_.push_back(static_cast<int>(values_[i].size()));
        }
        if (PQsendQueryPrepared(owner_.connection_, name_.c_str(), count, pointers_.data(),
                                lengths_.data(), formats_.data(), kBinaryFormat) != 1) {
            owner_.lose();
        }
        owner_.sent({});
    }

    friend class PostgresConnection;
    PostgresConnection& owner_;
    std::string sql_;
    std::string name_;
    bool prepared_ = false;
    bool being_prepared_ = false;
    std::size_t bound_ = 0;
    std::vector<std::string> values_;
    std::vector<Oid> types_;
    std::vector<int> formats_;
    std::vector<const char*> pointers_;
    std::vector<int> lengths_;
    Result rows_;
    int row_ = -1;
};

void PostgresConnection::FreeResult::operator()(pg_result* result) const {
    PQclear(result);
}

PostgresConnection::PostgresConnection(const std::string& url, PostgresMode mode, std::int64_t lock)
    : lock_(lock) {
    // What the URL says comes after these and wins.
    const std::array<const char*, 8> keywords{
        "connect_timeout",  "application_name", "keepalives_idle", "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "dbname",          nullptr};
    const std::array<const char*, 8> values{"10", "adit",  "30",        "10",
                                            "3",  "30000", url.c_str(), nullptr};
    const std::unique_ptr<PQconninfoOption, FreeOptions> options(
        PQconninfoParse(url.c_str(), nullptr));
    // libpq's own words might repeat the password.
    if (!options) throw SqlError("its URL must be like postgresql://user@host:port/database");
    connection_ = PQconnectdbParams(keywords.data(), values.data(), 1);
    if (PQstatus(connection_) != CONNECTION_OK) {
        const auto why = message();
        PQfinish(connection_);
        throw SqlError("cannot connect: " + why);
    }
    PQsetNoticeProcessor(connection_, [](void*, const char*) {}, nullptr);
    try {
        if (PQenterPipelineMode(connection_) != 1) lose();
        // Nothing waits for ever for the writer of another instance; what is committed is on disk.
        send("SET lock_timeout = '30s'");
        send("SET synchronous_commit = on");
        send("SET client_min_messages = warning");
        if (mode == PostgresMode::read) send("SET default_transaction_read_only = on");
        finish();
    } catch (...) {
        PQfinish(connection_);
        throw;
    }
}

PostgresConnection::~PostgresConnection() {
    forget_statements();
    PQfinish(connection_);
}

std::string PostgresConnection::message() const {
    return one_line(PQerrorMessage(connection_));
}

void PostgresConnection::lose() {
    lost_ = true;
    sent_.clear();
    throw SqlError("the connection is lost (" + message() + "); the next call opens it again");
}

void PostgresConnection::send(const std::string& sql, bool commit) {
    if (PQsendQueryParams(connection_, sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr,
                          kBinaryFormat) != 1) {
        lose();
    }
    sent({nullptr, commit});
}

void PostgresConnection::sent(Sent entry) {
    sent_.push_back(entry);
}

PostgresConnection::Result PostgresConnection::finish() {
    if (lost_) throw SqlError("the connection is lost");
    if (sent_.empty()) return nullptr;
    if (PQpipelineSync(connection_) != 1) lose();
    std::string error;
    Result last;
    for (const auto& entry : std::exchange(sent_, {}))
        last = read_one(entry, error);
    const Result end(PQgetResult(connection_));
    if (PQresultStatus(end.get()) != PGRES_PIPELINE_SYNC) lose();
    if (!error.empty()) throw SqlError(error);
    return last;
}

PostgresConnection::Result PostgresConnection::read_one(const Sent& entry, std::string& error) {
    Result result(PQgetResult(connection_));
    if (!result) lose();
    switch (PQresultStatus(result.get())) {
        case PGRES_COMMAND_OK:
        case PGRES_TUPLES_OK:
            if (entry.prepared != nullptr) entry.prepared->prepared_ = true;
            if (entry.commit && std::string_view(PQcmdStatus(result.get())) != "COMMIT") {
                error = "the transaction had failed and was rolled back";
            }
            break;
        case PGRES_PIPELINE_ABORTED:
            break;
        default:
            if (PQstatus(connection_) != CONNECTION_OK) lose();
            if (error.empty()) error = one_line(PQresultErrorMessage(result.get()));
            break;
    }
    if (entry.prepared != nullptr) entry.prepared->being_prepared_ = false;
    // Each command's results end with none.
    if (const Result none(PQgetResult(connection_)); none) lose();
    return result;
}

void PostgresConnection::run(const std::string& script) {
    finish();
    if (PQexitPipelineMode(connection_) != 1) lose();
    const Result result(PQexec(connection_, script.c_str()));
    const auto status = PQresultStatus(result.get());
    if (PQstatus(connection_) != CONNECTION_OK) lose();
    if (PQenterPipelineMode(connection_) != 1) lose();
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        throw SqlError(one_line(PQresultErrorMessage(result.get())));
    }
}

void PostgresConnection::begin_write() {
    send("BEGIN");
    send(fmt::format("SELECT pg_advisory_xact_lock({})", lock_));
    try {
        finish();
    } catch (const SqlError&) {
        // The lock was not given within its time.
        rollback();
        throw;
    }
}

void PostgresConnection::begin_read() {
    send("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    // The view is taken by the first query.
    send("SELECT 1");
    finish();
}

void PostgresConnection::commit() {
    send("COMMIT", true);
    finish();
}

void PostgresConnection::rollback() noexcept {
    try {
        // What was sent before may fail; all of it is undone.
        if (!lost_ && !sent_.empty()) finish();
    } catch (const SqlError&) {
    }
    try {
        if (lost_) return;
        send("ROLLBACK");
        finish();
    } catch (const SqlError&) {
        // Without a rollback the connection is of no use; the server rolls back when it is closed.
        lost_ = true;
    }
}

int PostgresConnection::schema_version() {
    {
        auto row = prepare(
            "SELECT count(*) FROM pg_catalog.pg_class WHERE "
            "oid = to_regclass('adit_schema')");
        row.step();
        if (row.row().integer(0) == 0) return 0;
    }
    auto row = prepare("SELECT version FROM adit_schema");
    return row.step() ? static_cast<int>(row.row().integer(0)) : 0;
}

void PostgresConnection::set_schema_version(int version) {
    run(
        fmt::format("CREATE TABLE IF NOT EXISTS adit_schema (version BIGINT NOT NULL); "
                    "DELETE FROM adit_schema; INSERT INTO adit_schema VALUES ({});",
                    version));
}

std::unique_ptr<SqlDriverStatement> PostgresConnection::make_statement(const std::string& sql) {
    return std::make_unique<Statement>(*this, sql);
}

}  // namespace adit::store
