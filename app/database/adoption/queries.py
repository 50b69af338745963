"""Queries: the catalogue's own words for what a takeover has to know."""

SURROUNDINGS = """
SELECT current_database()::text AS database, current_user::text AS role, current_schema()::text AS schema,
    current_setting('TimeZone') AS timezone,
    NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS writable,
    coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
    has_database_privilege(current_database(), 'TEMPORARY') AS may_have_temporary,
    to_regclass('schema_kept') IS NOT NULL AS adopted,
    ARRAY(SELECT relname::text FROM pg_class WHERE relnamespace = here
        UNION SELECT typname::text FROM pg_type WHERE typnamespace = here) AS relations,
    ARRAY(SELECT proname::text FROM pg_proc WHERE pronamespace = here) AS functions,
    ARRAY(SELECT format('%I.%I', nspname, relname) FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
        WHERE lower(relname) IN ('users', 'user') AND relkind IN ('r', 'p', 'v', 'm', 'f')
        AND nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1) AS elsewhere
FROM (SELECT to_regnamespace(quote_ident(current_schema()))) AS given (here)
"""

RELATION = """
SELECT nspname::text AS schema, format('%I.%I', nspname, relname) AS relation, relkind::text AS kind,
    pg_get_userbyid(relowner)::text AS owner, pg_has_role(relowner, 'USAGE') AS owned,
    has_table_privilege(c.oid, 'SELECT') AS readable, row_security_active(c.oid) AS hides_rows,
    relpersistence <> 'p' AS unlogged,
    EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)) AS inherits
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = to_regclass(quote_ident(:name))
"""

COLUMNS = """
SELECT attname::text AS name, NOT attnotnull AS nullable, attidentity::text AS identity,
    attgenerated <> '' AS generated, format_type(atttypid, atttypmod) || CASE WHEN attcollation <> typcollation THEN
        ' collate ' || (SELECT collname FROM pg_collation c WHERE c.oid = attcollation) ELSE '' END AS type,
    pg_get_expr(adbin, adrelid) AS default
FROM pg_attribute JOIN pg_type t ON t.oid = atttypid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attrelid = CAST(:relation AS regclass) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""

KEY = """
SELECT conname::text AS key_name, condeferrable AS key_is_deferrable,
    ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY place) AS key
FROM pg_constraint WHERE conrelid = CAST(:relation AS regclass) AND contype = 'p'
"""

# An index on one expression is about the column that it depends on, be it beside others in its WHERE.
INDEXES = """
SELECT c.relname::text AS name, pg_get_indexdef(c.oid) AS definition, indisunique AS unique, indisvalid AS valid,
    conname::text AS constraint, indisprimary AS is_key, indpred IS NOT NULL AS is_partial,
    indisreplident AS identifies_replicas,
    CASE WHEN indnkeyatts > 1 THEN NULL
    WHEN indkey[0] <> 0 THEN (SELECT attname::text FROM pg_attribute WHERE attrelid = indrelid AND attnum = indkey[0])
    ELSE (SELECT attname::text FROM pg_depend JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
        WHERE classid = 'pg_class'::regclass AND objid = indexrelid AND refobjid = indrelid
        ORDER BY attname = 'email' DESC LIMIT 1) END AS sole
FROM pg_index JOIN pg_class c ON c.oid = indexrelid LEFT JOIN pg_constraint ON conindid = indexrelid
    AND conrelid = indrelid AND contype IN ('p', 'u', 'x')
WHERE indrelid = CAST(:relation AS regclass) ORDER BY 1
"""

SEQUENCE = """
WITH key AS (SELECT attrelid, attnum, a.oid AS preset FROM pg_attribute LEFT JOIN pg_attrdef a ON adrelid = attrelid
    AND adnum = attnum WHERE attrelid = CAST(:relation AS regclass) AND attname = 'id'),
owned AS (SELECT objid FROM pg_depend, key WHERE classid = 'pg_class'::regclass AND deptype IN ('a', 'i')
    AND refclassid = 'pg_class'::regclass AND refobjid = attrelid AND refobjsubid = attnum)
SELECT s.relname::text AS name, nspname::text AS schema, seqincrement AS step, s.oid IN (TABLE owned) AS owned,
    (seqstart, seqmin, seqcache, seqcycle) = (1, 1, 1, false) AS usual,
    ARRAY(SELECT format('%s TO %s', string_agg(privilege_type, ', ' ORDER BY privilege_type),
        CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END)
        FROM aclexplode(s.relacl) WHERE grantee <> s.relowner GROUP BY grantee ORDER BY 1) AS grants
FROM key JOIN pg_class s ON s.relkind = 'S' AND CASE WHEN preset IS NULL THEN s.oid IN (TABLE owned)
    ELSE s.oid IN (SELECT refobjid FROM pg_depend WHERE classid = 'pg_attrdef'::regclass AND objid = preset) END
JOIN pg_sequence ON seqrelid = s.oid JOIN pg_namespace n ON n.oid = s.relnamespace
"""

REFERENCES = """
SELECT conname::text AS name, conrelid::regclass::text AS table, pg_has_role(relowner, 'USAGE') AS owned,
    (SELECT format('%I.%I', nspname, relname) FROM pg_namespace n WHERE n.oid = relnamespace) AS relation,
    ARRAY(SELECT attname::text FROM unnest(conkey) k
        JOIN pg_attribute ON attrelid = conrelid AND attnum = k) AS columns,
    ARRAY(SELECT format_type(atttypid, atttypmod) FROM unnest(conkey) k
        JOIN pg_attribute ON attrelid = conrelid AND attnum = k) AS types,
    ARRAY(SELECT attname::text FROM unnest(confkey) k JOIN pg_attribute ON attrelid = confrelid AND attnum = k)
        AS referred
FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
WHERE confrelid = CAST(:relation AS regclass) AND contype = 'f' AND conparentid = 0 ORDER BY 2, 1
"""

AROUND = """
SELECT ARRAY(SELECT conname::text FROM pg_constraint WHERE conrelid = r AND contype = 'c' ORDER BY 1) AS checks,
    ARRAY(SELECT conname::text FROM pg_constraint WHERE conrelid = r AND contype = 'f' ORDER BY 1) AS own_references,
    ARRAY(SELECT tgname::text FROM pg_trigger WHERE tgrelid = r AND NOT tgisinternal ORDER BY 1) AS triggers,
    ARRAY(SELECT polname::text FROM pg_policy WHERE polrelid = r ORDER BY 1) AS policies,
    ARRAY(SELECT pubname::text FROM pg_publication_tables WHERE schemaname = :schema AND tablename = :name ORDER BY 1)
        AS publications,
    ARRAY(SELECT pg_describe_object(classid, d.objid, objsubid)
        FROM pg_class t JOIN pg_type y ON reltype IN (y.oid, typelem)
        JOIN pg_depend d ON refclassid = 'pg_type'::regclass AND refobjid = y.oid
        JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind IN ('r', 'p', 'm')
        WHERE t.oid = r ORDER BY 1) AS composites
FROM (SELECT CAST(:relation AS regclass)) AS given (r)
"""

# What PostgreSQL does not let a column's type change for.
DEPENDENTS = """
SELECT DISTINCT attname::text, pg_describe_object(classid, d.objid, objsubid)
FROM pg_depend d JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
WHERE refclassid = 'pg_class'::regclass AND refobjid = CAST(:relation AS regclass) AND attname = ANY (:columns)
AND (classid IN ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass,
    'pg_publication_rel'::regclass, 'pg_attrdef'::regclass)
    OR classid = refclassid AND d.objid = refobjid AND objsubid > 0)
AND (f.oid IS NULL OR f.adrelid = refobjid AND f.adnum <> refobjsubid) ORDER BY 1, 2
"""
