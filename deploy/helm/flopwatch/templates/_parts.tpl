{{/* The name of everything: that of the release, which says whose it is. */}}
{{- define "flopwatch.name" -}}
{{- if contains "flopwatch" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-flopwatch" (.Release.Name | trunc 30) -}}
{{- end -}}
{{- end -}}

{{/* By which our pods are found. */}}
{{- define "flopwatch.selector" -}}
app.kubernetes.io/name: flopwatch
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "flopwatch.labels" -}}
{{ include "flopwatch.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{/* The settings file: what a pod needs, and over it what the values say. */}}
{{- define "flopwatch.settings" -}}
{{- $ours := dict "lists_state" "/var/lib/flopwatch/lists" "http" (dict "host" "0.0.0.0" "port" 9464) -}}
{{- if .Values.web.enabled -}}
{{- $_ := set $ours "console" (dict "host" "0.0.0.0" "port" 9465) -}}
{{- end -}}
{{- mergeOverwrite $ours (deepCopy .Values.settings) | toYaml -}}
{{- end -}}

{{- define "flopwatch.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* What every pod may not do. */}}
{{- define "flopwatch.pod" -}}
serviceAccountName: {{ include "flopwatch.name" . }}
automountServiceAccountToken: false
{{- /* Their variables would look like settings: FLOPWATCH_WEB_PORT. */}}
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10464
  runAsGroup: 10464
  fsGroup: 10464
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "flopwatch.container" -}}
image: {{ include "flopwatch.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "flopwatch.environment" -}}
- name: FLOPWATCH_CONFIG
  value: /etc/flopwatch/settings/monitor.yaml
{{- if .Values.store.serviceSecret }}
- name: PGSERVICEFILE
  value: /etc/flopwatch/store/pg_service
{{- end }}
{{- end -}}

{{/* They answer also while the books are loaded, which may take minutes; readiness waits for the end of it. */}}
{{- define "flopwatch.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 6
  failureThreshold: 120
livenessProbe:
  httpGet: {path: /healthz, port: metrics}
  periodSeconds: 15
  timeoutSeconds: 6
  failureThreshold: 4
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 6
{{- end -}}

{{- define "flopwatch.mounts" -}}
- name: state
  mountPath: /var/lib/flopwatch
- name: settings
  mountPath: /etc/flopwatch/settings
  readOnly: true
{{- if .Values.store.serviceSecret }}
- name: store
  mountPath: /etc/flopwatch/store
  readOnly: true
{{- end }}
{{- range .Values.mounts }}
- name: {{ .name | quote }}
  mountPath: {{ .path | quote }}
  readOnly: true
{{- end }}
{{- end -}}

{{- define "flopwatch.volumes" -}}
- name: settings
  configMap:
    name: {{ include "flopwatch.name" . }}
{{- if .Values.store.serviceSecret }}
- name: store
  secret:
    secretName: {{ .Values.store.serviceSecret }}
{{- end }}
{{- range .Values.mounts }}
- name: {{ .name | quote }}
  {{- toYaml .volume | nindent 2 }}
{{- end }}
{{- end -}}
