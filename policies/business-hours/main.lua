-- Judges by ctx.now_ms, so the same input gives the same verdict anywhere.

local names = { "thu", "fri", "sat", "sun", "mon", "tue", "wed" }

local function minutes(text)
    local hours, rest = text:match("^(%d%d):(%d%d)$")
    if not hours or tonumber(hours) > 24 or tonumber(rest) > 59 then
        error("'" .. text .. "' is no time of the form hh:mm")
    end
    return tonumber(hours) * 60 + tonumber(rest)
end

-- Days since 1970-01-01, with years that begin in March so that leap days come last.
local function day_number(text)
    local year, month, day = text:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)$")
    if not year then
        error("'" .. text .. "' is no day of the form YYYY-MM-DD")
    end
    year, month, day = tonumber(year), tonumber(month), tonumber(day)
    if month < 1 or month > 12 or day < 1 or day > 31 then
        error("'" .. text .. "' is no day of the calendar")
    end
    if month <= 2 then
        year = year - 1
    end
    local era, of_era = year // 400, year % 400
    local of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
end

local function admit(ctx, conf)
    if ctx.run.kind ~= "switchover" and not (ctx.run.kind == "failover" and conf.guard_failover) then
        return { verdict = "abstain", reason = "a " .. ctx.run.kind .. " does not wait for office hours" }
    end
    local local_minutes = ctx.now_ms // 60000 + conf.utc_offset_minutes
    local day, minute = local_minutes // 1440, local_minutes % 1440
    for _, freeze in ipairs(conf.freezes) do
        local first, last = freeze:match("^(.-)/(.*)$")
        if not first then
            error("'" .. freeze .. "' is no freeze of the form YYYY-MM-DD/YYYY-MM-DD")
        end
        if day >= day_number(first) and day <= day_number(last) then
            return { verdict = "deny", reason = "frozen: " .. freeze }
        end
    end
    local name = names[day % 7 + 1]
    local is_open = false
    for _, open in ipairs(conf.days) do
        is_open = is_open or open == name
    end
    if not is_open or minute < minutes(conf.from) or minute >= minutes(conf["until"]) then
        return { verdict = "deny", reason = string.format(
            "it is %s %02d:%02d; moves begin from %s to %s", name, minute // 60, minute % 60,
            conf.from, conf["until"]) }
    end
    return { verdict = "allow", reason = "within business hours" }
end

return { admit = admit }
