-- 100,000 people, 1,000,000 messages of the last two years, 50,000 reports, 100,000 rows of the audit trail.
-- User 1 is a superuser, 2 a moderator, 10 has sent a fifth of all messages. The trail's hashes are no chain.
INSERT INTO accounts_user (id, created_at, updated_at, password, last_login, is_superuser, is_staff, is_active,
    username, username_key, email, email_key, full_name, name_words, bio, phone_number)
SELECT n, now() - (100001 - n) * interval '10 minutes', now(), '!',
    CASE WHEN n % 3 > 0 THEN now() - (n * 7919 % 400) * interval '1 day' END, n = 1, n <= 2, n % 100 > 0,
    name, name, name || '@example.org', name || '@example.org', initcap(given || ' ' || family),
    ' ' || given || ' ' || family, NULL, '+4930' || 1000000 + n
FROM (
    SELECT n, given, family, CASE n WHEN 1 THEN 'root' WHEN 2 THEN 'moderator' ELSE given || '.' || n END AS name
    FROM (
        SELECT n, (ARRAY['mara', 'jonas', 'tunde', 'amara', 'sofia', 'tomas', 'priya'])[n % 7 + 1] AS given,
            (ARRAY['lindner', 'okafor', 'vega', 'sharma', 'vogel'])[n % 5 + 1] AS family
        FROM generate_series(1, 100000) n
    ) people
) named;
INSERT INTO accounts_user_groups (user_id, group_id) SELECT 2, id FROM auth_group WHERE name = 'moderator';

INSERT INTO messaging_conversation (id, created_at)
SELECT 'conv_' || a || '_' || a + 1, now() FROM generate_series(11, 80010, 2) a;
INSERT INTO messaging_conversation (id, created_at)
SELECT 'conv_10_' || b, now() FROM generate_series(11, 2010) b;
INSERT INTO messaging_message (id, created_at, updated_at, content, is_read, deleted_by_recipient,
    conversation_id, recipient_id, sender_id)
SELECT n, at, at, 'Message number ' || n || ', about lunch and the weather', n < 990000, false,
    CASE WHEN busy THEN 'conv_10_' || b ELSE 'conv_' || a || '_' || a + 1 END,
    CASE WHEN busy THEN b WHEN n / 40000 % 2 = 0 THEN a + 1 ELSE a END,
    CASE WHEN busy THEN 10 WHEN n / 40000 % 2 = 0 THEN a ELSE a + 1 END
FROM (
    SELECT n, n % 5 = 0 AS busy, now() - (1000000 - n) * interval '63 seconds' AS at,
        11 + 2 * (n % 40000) AS a, 11 + n / 5 % 2000 AS b
    FROM generate_series(1, 1000000) n
) said;
INSERT INTO messaging_participant (conversation_id, user_id, last_message_id)
SELECT conversation_id, person, max(id) FROM messaging_message, LATERAL (VALUES (sender_id), (recipient_id)) p(person)
GROUP BY 1, 2;
INSERT INTO messaging_block (created_at, updated_at, blocker_id, blocked_id)
SELECT now(), now(), n, n - 1 FROM generate_series(12, 20000, 2) n;

INSERT INTO reports_report (created_at, updated_at, reporter_id, title, content, status, assigned_to_id,
    resolved_at, resolved_by_id, message_id, message_content, message_sender_id)
SELECT at, at, coalesce(m.recipient_id, n), 'Report ' || n || (ARRAY[' of spam', ' of insults'])[n % 2 + 1],
    'Please look at this, it is number ' || n, CASE WHEN done THEN 'resolved' WHEN n % 4 = 0 THEN 'in_progress' ELSE 'open' END,
    CASE WHEN done OR n % 4 = 0 THEN n % 2 + 1 END, CASE WHEN done THEN at + interval '5 hours' END,
    CASE WHEN done THEN n % 2 + 1 END, m.id, m.content, m.sender_id
FROM (
    SELECT n, n <= 48000 AS done, now() - (50000 - n) * interval '15 minutes' - interval '6 hours' AS at
    FROM generate_series(1, 50000) n
) filed LEFT JOIN messaging_message m ON m.id = 20 * n + n % 7 AND n % 10 > 0;

INSERT INTO accounts_session (created_at, updated_at, session_token, device_info, ip_address, is_active, last_used_at,
    expires_at, user_id)
SELECT at, at, md5(n::text) || md5((-n)::text), 'Firefox on Linux', ('10.0.' || n % 200 || '.' || n % 250)::inet,
    n % 3 > 0, at, at + interval '30 days', n
FROM (SELECT n, now() - (100000 - n) * interval '1 minute' AS at FROM generate_series(1, 100000) n) opened;
INSERT INTO accounts_failedlogin (user_id, name_digest, client, ip_address, user_agent, path_info, attempt_time,
    locked_out, is_noted)
SELECT u.id, coalesce(md5(u.username_key), md5(n::text)), host(at), at, 'Firefox', '/auth/login',
    now() - (100000 - n) * interval '26 seconds', false, false
FROM (SELECT n, ('10.1.' || n % 100 || '.' || n / 100 % 250)::inet AS at FROM generate_series(1, 100000) n) failed
LEFT JOIN accounts_user u ON u.username_key = 'mara.' || n % 20000;
INSERT INTO accounts_failedlogin (user_id, name_digest, client, ip_address, user_agent, path_info, attempt_time,
    locked_out, is_noted)
SELECT 21, md5('21'), '10.9.9.9', '10.9.9.9', 'Firefox', '/auth/login', now(), false, false
FROM generate_series(1, 5) n;

INSERT INTO audit_entry (id, created_at, actor_id, actor_name, actor_key, act, sentence, target_kind, target_id,
    target_label, target_key, address, request_id, before, after, previous_hash, hash)
SELECT n, now() - (100000 - n) * interval '5 minutes', n % 2 + 1, who, who, act, 'Done.', kind, n % 50000 + 1,
    'number ' || n % 50000 + 1, 'number ' || n % 50000 + 1, '10.0.0.' || n % 250, 'request-' || n,
    '{"status": "open"}', '{"status": "resolved"}', md5(n::text), md5((n + 1)::text)
FROM (
    SELECT n, (ARRAY['root', 'moderator'])[n % 2 + 1] AS who,
        (ARRAY['report.claimed', 'report.resolved', 'user.disabled'])[n % 3 + 1] AS act,
        CASE WHEN n % 3 = 2 THEN 'accounts.user' ELSE 'reports.report' END AS kind
    FROM generate_series(1, 100000) n
) acts;
INSERT INTO audit_head (id, number, hash) VALUES (1, 100000, md5('100001'));

SELECT setval(pg_get_serial_sequence(name, 'id'), 2000000)
FROM unnest(ARRAY['accounts_user', 'messaging_message']) name;
