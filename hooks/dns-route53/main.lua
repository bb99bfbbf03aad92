local function value_of(node, key)
    local value = node and node.metadata[key]
    return value and (value:lower():gsub("%.$", ""))
end

-- The wanted value and those that a record of ours may have, or nil and a message. After a change
-- that was missed it names a node that was primary before.
local function values(ctx, conf, to)
    local wanted = value_of(to, conf.metadata_key)
    if not wanted then
        return nil, string.format("%s has no metadata '%s'", to and to.node_id or "the node",
            conf.metadata_key)
    end
    local known = {}
    for _, node in ipairs(ctx.cluster.nodes) do
        local value = value_of(node, conf.metadata_key)
        if value then
            known[value] = true
        end
    end
    return wanted, known
end

local function succeeded(answer, message, code, what)
    if not answer then
        return nil, string.format("%s: %s (%s)", what, message, code)
    end
    if answer.status < 200 or answer.status > 299 then
        return nil, string.format("%s: status %d: %s", what, answer.status, answer.body:sub(1, 200))
    end
    return answer
end

local function check(conf, found, wanted, known)
    if found == wanted then
        return { name = conf.name, data = wanted, changed = false }
    end
    if found and not known[found] then
        return nil, string.format(
            "%s is %s, which is none of the cluster's nodes: somebody else has changed it",
            conf.name, found)
    end
end

local function full(name)
    return name:sub(-1) == "." and name or name .. "."
end

-- The one record set that was asked for: its value and TTL, or nothing.
local function read(body, conf)
    local set = body:match("<ResourceRecordSet>(.-)</ResourceRecordSet>")
    if not set or set:match("<Name>(.-)</Name>") ~= full(conf.name)
        or set:match("<Type>(.-)</Type>") ~= conf.type then
        return nil
    end
    return set:match("<Value>(.-)</Value>"), tonumber(set:match("<TTL>(%d+)</TTL>"))
end

local function change(action, conf, value, ttl)
    return string.format(
        "<Change><Action>%s</Action><ResourceRecordSet><Name>%s</Name><Type>%s</Type><TTL>%d</TTL>"
            .. "<ResourceRecords><ResourceRecord><Value>%s</Value></ResourceRecord></ResourceRecords>"
            .. "</ResourceRecordSet></Change>",
        action, full(conf.name), conf.type, ttl, value)
end

local function point(ctx, conf, to)
    local wanted, known = values(ctx, conf, to)
    if not wanted then
        return nil, known
    end
    for _, text in ipairs({ conf.name, conf.zone_id, wanted }) do
        if text:find("[^%w%.%-_:]") then
            return nil, "'" .. text .. "' is no plain name"
        end
    end
    local url = "https://route53.amazonaws.com/2013-04-01/hostedzone/" .. conf.zone_id .. "/rrset"
    local query = string.format("?maxitems=1&name=%s&type=%s", full(conf.name), conf.type)
    local answer, message, code = ctx.http.get(url .. query)
    answer, message = succeeded(answer, message, code, "cannot read " .. conf.name)
    if not answer then
        return nil, message
    end
    local raw, ttl = read(answer.body, conf)
    local found = raw and (raw:lower():gsub("%.$", ""))
    local done
    done, message = check(conf, found, wanted, known)
    if done or message then
        return done, message
    end
    -- Taking the old record away fails when it is not what was read, and then nothing happens: the
    -- batch is all or nothing.
    local changes = raw and change("DELETE", conf, raw, ttl) or ""
    answer, message, code = ctx.http.post(url, {
        headers = { ["content-type"] = "application/xml" },
        body = '<?xml version="1.0" encoding="UTF-8"?><ChangeResourceRecordSetsRequest '
            .. 'xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><ChangeBatch><Changes>'
            .. changes .. change("CREATE", conf, wanted, conf.ttl)
            .. "</Changes></ChangeBatch></ChangeResourceRecordSetsRequest>",
    })
    answer, message = succeeded(answer, message, code, conf.name .. " not changed")
    if not answer then
        return nil, message
    end
    return { name = conf.name, data = wanted, changed = true }
end

return {
    dns_flip = function(ctx, conf) return point(ctx, conf, ctx.target) end,
    rollback = function(ctx, conf) return point(ctx, conf, ctx.primary) end,
}
