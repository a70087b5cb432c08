-- What was diagnosed, done and ordered during a hospital stay: diagnoses by priority, then when they were entered; treatments and
-- drugs by time. kind is the place of the table among the tables of codes.
SELECT visit, kind, code, reason
FROM (
    SELECT 0 AS kind, patientunitstayid, icd9code AS code, NULL AS reason,
           CASE lower(diagnosispriority) WHEN 'primary' THEN 0 WHEN 'major' THEN 1 ELSE 2 END AS rank,
           diagnosisoffset AS since, diagnosisid AS id
    FROM diagnosis
    UNION ALL
    SELECT 1, patientunitstayid, lower(treatmentstring), NULL, 0, treatmentoffset, treatmentid
    FROM treatment
    UNION ALL
    SELECT 2, patientunitstayid, CASE WHEN drughiclseqno > 0 THEN drughiclseqno::VARCHAR END,
           CASE WHEN lower(drugordercancelled) = 'yes' THEN 'the order was cancelled' END, 0, drugorderoffset, medicationid
    FROM medication
) c
LEFT JOIN stay USING (patientunitstayid)
LEFT JOIN visit USING (patienthealthsystemstayid)
ORDER BY visit NULLS LAST, kind, rank, since + shift NULLS LAST, id
