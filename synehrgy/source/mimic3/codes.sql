-- The codes of the admissions, diagnoses before procedures, each in the order of seq_num.
SELECT visit, kind, code
FROM (SELECT 0 AS kind, hadm_id, seq_num, icd9_code AS code, file_row FROM DIAGNOSES_ICD
      UNION ALL
      SELECT 1, hadm_id, seq_num, icd9_code, file_row FROM PROCEDURES_ICD)
LEFT JOIN visit USING (hadm_id)
ORDER BY visit NULLS LAST, kind, seq_num NULLS LAST, file_row
