-- The measurements of the items that are variables of ours, put to the visit of their hadm_id, or, where a row has none, to
-- the visit of the patient that was under way at the time. reason is the first that makes a row useless.
INSERT INTO event
WITH placed AS (
    SELECT i.item, e.row_id, e.hadm_id, e.charttime, e.valuenum, e.value, e.error, coalesce(named.visit, timed.visit) AS visit,
           coalesce(named.start_time, timed.start_time) AS start_time, coalesce(named.closing, timed.closing) AS closing
    FROM {{table}} e
    JOIN item i ON i.itemid = e.itemid AND i.source = '{{table}}'
    LEFT JOIN visit named ON e.hadm_id = named.hadm_id AND e.subject_id = named.subject_id
    LEFT JOIN visit timed ON CASE WHEN e.hadm_id IS NULL THEN e.subject_id END = timed.subject_id
        AND e.charttime BETWEEN timed.start_time AND timed.until
)
SELECT '{{table}}' AS source, item, visit, datediff('minute', start_time, charttime) AS since, row_id, valuenum,
       CASE WHEN item IN (SELECT item FROM item WHERE spelled) THEN value END AS value,
       CASE WHEN charttime IS NULL THEN 'no time'
            WHEN error = 1 THEN 'marked as an error'
            WHEN visit IS NULL AND hadm_id IS NOT NULL THEN 'no such admission'
            WHEN visit IS NULL THEN 'no hadm_id and in no admission'
            WHEN charttime < start_time THEN 'before the visit'
            WHEN charttime > closing THEN 'more than {{tolerance}} hours after discharge'
       END AS reason
FROM placed
