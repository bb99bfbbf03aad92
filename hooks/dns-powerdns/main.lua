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

local function found_in(zone, conf)
    for _, set in ipairs(zone and zone.rrsets or {}) do
        if set.name == full(conf.name) and set.type == conf.type and set.records[1] then
            return (set.records[1].content:lower():gsub("%.$", ""))
        end
    end
end

local function point(ctx, conf, to)
    local wanted, known = values(ctx, conf, to)
    if not wanted then
        return nil, known
    end
    local key, problem = ctx.secret(conf.secret)
    if not key then
        return nil, problem
    end
    local url = string.format("%s/api/v1/servers/%s/zones/%s", conf.url, conf.server, full(conf.zone))
    local headers = { ["x-api-key"] = key }
    local query = string.format("?rrset_name=%s&rrset_type=%s", full(conf.name), conf.type)
    local answer, message, code = ctx.http.get(url .. query, { headers = headers })
    answer, message = succeeded(answer, message, code, "cannot read " .. conf.name)
    if not answer then
        return nil, message
    end
    local done
    done, message = check(conf, found_in(answer.json, conf), wanted, known)
    if done or message then
        return done, message
    end
    local content = conf.type == "CNAME" and full(wanted) or wanted
    answer, message, code = ctx.http.patch(url, {
        headers = headers,
        json = { rrsets = { {
            name = full(conf.name), type = conf.type, ttl = conf.ttl, changetype = "REPLACE",
            records = { { content = content, disabled = false } },
        } } },
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
