// The members of a JSON object that somebody else wrote, read one by one and strictly: the first
// fault is kept as a sentence, and a member that nobody asked for is one. Used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace adit::base {

class JsonFields {
 public:
    // `json`: a whole document. `kind`: what its members are called, as in "no field of this
    // request".
    explicit JsonFields(std::string_view json, std::string_view kind = "field of this request");
    ~JsonFields();
    JsonFields(const JsonFields&) = delete;
    JsonFields& operator=(const JsonFields&) = delete;

    // nullopt, false or empty: not there, or no good; finish() tells. Texts are without control
    // characters.
    std::optional<std::int64_t> integer(std::string_view key, std::int64_t least,
                                        std::int64_t most);
    std::optional<double> number(std::string_view key, double least, double most);
    bool flag(std::string_view key);
    std::optional<bool> optional_flag(std::string_view key);
    std::string text(std::string_view key, std::size_t most_bytes);
    std::optional<std::string> optional_text(std::string_view key, std::size_t most_bytes);
    // An array of texts.
    std::vector<std::string> texts(std::string_view key, std::size_t most, std::size_t most_bytes);
    // An object as JSON text, for another JsonFields; or an array of them.
    std::optional<std::string> object(std::string_view key);
    std::vector<std::string> objects(std::string_view key, std::size_t most);

    // Whether the key is there. It counts as asked for.
    bool has(std::string_view key);
    // The key must be there.
    void require(std::string_view key);
    // The caller's own objection.
    void refuse(std::string sentence);

    // The first fault; nullopt: there is none. Call it when every known key has been asked for.
    std::optional<std::string> finish();

 private:
    struct Members;
    std::unique_ptr<Members> members_;
};

}  // namespace adit::base
