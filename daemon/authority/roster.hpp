// Roster: the authorities as the engine knows them, each behind a place that stays where it is: a reload puts another
// authority into the place, and a call that is under way keeps the one that it began with. A place whose authority is
// configured no more stays for those who have it and keeps its last authority; nobody new comes to it.
// cc-io.
#pragma once

#include "core/ports/authority.hpp"
#include "daemon/authority/factory.hpp"

#include <map>
#include <memory>
#include <string>

namespace connector::authority {

class Roster {
public:
    Roster();
    ~Roster();
    Roster(const Roster&) = delete;
    Roster& operator=(const Roster&) = delete;

    // These and no others are in force from now on.
    void use(AuthorityMap fresh);
    [[nodiscard]] std::map<std::string, ports::Authority*, std::less<>> in_force() const;
    // Every place that there ever was; places are added and never taken away. Of one that is not in force, upkeep()
    // has nothing to do.
    [[nodiscard]] const AuthorityMap& places() const noexcept { return places_; }

private:
    class Place;
    AuthorityMap places_;
    std::map<std::string, Place*, std::less<>> known_;
};

}  // namespace connector::authority
