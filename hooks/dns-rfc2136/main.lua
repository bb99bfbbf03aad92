-- Points one record at a node. The update is bound to what the record is now: whoever has changed
-- it meanwhile is not overwritten.

local function canonical(text)
    return (text:lower():gsub("%.$", ""))
end

local function value_of(node, key)
    local value = node and node.metadata[key]
    return value and canonical(value)
end

-- The values that a record of ours may have: after a change that was missed it names a node that was
-- primary before.
local function known_values(ctx, key)
    local known = {}
    for _, node in ipairs(ctx.cluster.nodes) do
        local value = value_of(node, key)
        if value then
            known[value] = true
        end
    end
    return known
end

local function current(ctx, conf)
    local answer, message, code = ctx.dns.lookup(conf.name, conf.type)
    if not answer then
        return nil, message, code
    end
    local values = {}
    for _, record in ipairs(answer.records) do
        if record.type == conf.type then
            table.insert(values, canonical(record.data))
        end
    end
    return values
end

local function point(ctx, conf, to)
    local wanted = value_of(to, conf.metadata_key)
    if not wanted then
        return nil, string.format(
            "%s has no metadata '%s' to point %s at", to and to.node_id or "the node",
            conf.metadata_key, conf.name)
    end
    local values, message, code = current(ctx, conf)
    if not values then
        return nil, string.format("cannot read %s: %s (%s)", conf.name, message, code)
    end
    if #values == 1 and values[1] == wanted then
        ctx.log(conf.name, "is", wanted, "already")
        return { name = conf.name, data = wanted, changed = false }
    end
    if #values > 1 or (#values == 1 and not known_values(ctx, conf.metadata_key)[values[1]]) then
        return nil, string.format(
            "%s is %s, which is none of the cluster's nodes: somebody else has changed it",
            conf.name, table.concat(values, ", "))
    end
    local prerequisite = { name = conf.name, type = conf.type }
    if #values == 0 then
        prerequisite.exists = false
    else
        prerequisite.data = values
    end
    local done
    done, message, code = ctx.dns.update({
        zone = conf.zone, name = conf.name, type = conf.type, ttl = conf.ttl, data = { wanted },
        prerequisites = { prerequisite },
    })
    if not done then
        return nil, string.format("%s not changed: %s (%s)", conf.name, message, code)
    end
    ctx.log(conf.name, "is", wanted, "now")
    return { name = conf.name, data = wanted, changed = true }
end

-- Active/active: the record names every node that has weight. What weight it has, DNS cannot say.
local function share(ctx, conf)
    if conf.type == "CNAME" then
        return nil, "a CNAME names one node alone: use A or AAAA for an active/active cluster"
    end
    local weights, nodes, known = {}, {}, known_values(ctx, conf.metadata_key)
    for _, entry in ipairs(ctx.plan.weights) do
        weights[entry.node_id] = entry.weight
    end
    for _, node in ipairs(ctx.cluster.nodes) do
        local value = value_of(node, conf.metadata_key)
        if weights[node.node_id] then
            if not value then
                return nil, string.format("%s has no metadata '%s'", node.node_id, conf.metadata_key)
            end
            if weights[node.node_id] > 0 then
                table.insert(nodes, value)
            end
        end
    end
    local values, message, code = current(ctx, conf)
    if not values then
        return nil, string.format("cannot read %s: %s (%s)", conf.name, message, code)
    end
    for _, value in ipairs(values) do
        if not known[value] then
            return nil, string.format(
                "%s is %s, which is none of the nodes: somebody else has changed it", conf.name, value)
        end
    end
    table.sort(nodes)
    table.sort(values)
    if table.concat(nodes, " ") == table.concat(values, " ") then
        return { name = conf.name, data = nodes, changed = false }
    end
    local prerequisite = { name = conf.name, type = conf.type }
    if #values == 0 then
        prerequisite.exists = false
    else
        prerequisite.data = values
    end
    local done
    done, message, code = ctx.dns.update({
        zone = conf.zone, name = conf.name, type = conf.type, ttl = conf.ttl, data = nodes,
        prerequisites = { prerequisite },
    })
    if not done then
        return nil, string.format("%s not changed: %s (%s)", conf.name, message, code)
    end
    return { name = conf.name, data = nodes, changed = true }
end

return {
    dns_flip = function(ctx, conf)
        if ctx.plan.weights then
            return share(ctx, conf)
        end
        return point(ctx, conf, ctx.target)
    end,
    rollback = function(ctx, conf)
        return point(ctx, conf, ctx.primary)
    end,
}
