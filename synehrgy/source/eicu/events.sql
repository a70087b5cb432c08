-- The measurements of one table, put to their visits. {{rows}} gives patientunitstayid, since (minutes from the admission to
-- the unit), nth, label, x and text. reason is the first that makes one useless. Where the same variable of a visit was also
-- read at the minute it was measured, its values of the hourly grid are copies.
INSERT INTO event
WITH placed AS (
    SELECT m.item, m.variable, visit, stay.length AS length, r.since + shift AS since, r.nth, r.x, r.text
    FROM ({{rows}}) r
    JOIN measurement m ON m.source = '{{table}}' AND m.label = lower(r.label)
    LEFT JOIN stay USING (patientunitstayid)
    LEFT JOIN visit USING (patienthealthsystemstayid)
)
SELECT '{{table}}' AS source, item, p.visit, since, nth, x, text,
       CASE WHEN p.visit IS NULL THEN 'no such stay'
            WHEN since IS NULL THEN 'no time'
            WHEN since < 0 THEN 'before the visit'
            WHEN since > length + 60 * {{tolerance}} THEN 'more than {{tolerance}} hours after discharge'
            WHEN '{{table}}' = 'yaib_hourly' AND t.visit IS NOT NULL THEN 'the hourly copy of a series that is read'
       END AS reason
FROM placed p
LEFT JOIN (SELECT DISTINCT visit, variable FROM event JOIN measurement USING (item, source) WHERE reason IS NULL) t
    ON p.visit = t.visit AND p.variable = t.variable
