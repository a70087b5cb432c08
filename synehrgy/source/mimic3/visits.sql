-- One row an admission, in the order of the cohort: patients by subject_id, their admissions by time. visit is the place in
-- that order, from 0. A visit begins at the registration in the emergency department where that lies before the admission.
-- until ends the time in which a measurement without hadm_id belongs to the visit, so that no two visits of a patient share
-- a time.
CREATE TABLE visit AS
WITH stay AS (
    SELECT subject_id, hadm_id, admittime, date_trunc('minute', least(admittime, coalesce(edregtime, admittime))) AS start_time,
           dischtime, gender, dob, ethnicity, insurance, admission_type, hospital_expire_flag
    FROM ADMISSIONS JOIN PATIENTS USING (subject_id)
)
SELECT row_number() OVER (ORDER BY subject_id, admittime, hadm_id) - 1 AS visit,
       subject_id, hadm_id, start_time, date_trunc('minute', dischtime) AS end_time,
       greatest(dischtime, start_time) + INTERVAL {{tolerance}} HOUR AS closing,
       least(closing, lead(start_time) OVER (PARTITION BY subject_id ORDER BY admittime, hadm_id) - INTERVAL 1 SECOND) AS until,
       date_part('year', age(admittime, dob)) AS age,
       gender, ethnicity, insurance, admission_type, hospital_expire_flag
FROM stay
